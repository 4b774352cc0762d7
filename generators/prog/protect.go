package prog

// protectStructs are those of requests that several file systems have, about files that are protected, and about the whole file system. crypt_key is
// struct fscrypt_add_key_arg with 64 bytes of a key behind it, verity_digest struct fsverity_digest with one of SHA-256; in the structs of keys the first
// 40 bytes are struct fscrypt_key_specifier.
var protectStructs = []Struct{
	{"verity_enable", "struct fsverity_enable_arg", "linux/fsverity.h", 128, []Field{
		number("version", 0, 4), number("hash_algorithm", 4, 4), number("block_size", 8, 4), number("salt_size", 12, 4), address("salt_ptr", 16), number("sig_size", 24, 4)}},
	{"verity_digest", "", "", 36, []Field{number("digest_algorithm", 0, 2), number("digest_size", 2, 2)}},
	{"verity_metadata", "struct fsverity_read_metadata_arg", "linux/fsverity.h", 40, []Field{
		number("metadata_type", 0, 8), number("offset", 8, 8), number("length", 16, 8), address("buf_ptr", 24)}},
	{"crypt_key", "", "", 144, []Field{number("key_type", 0, 4), number("raw_size", 40, 4)}},
	{"crypt_remove", "", "", 64, []Field{number("key_type", 0, 4), number("removal_status_flags", 40, 4)}},
	{"crypt_status", "", "", 128, []Field{number("key_type", 0, 4), number("status", 64, 4)}},
	{"crypt_policy", "", "", 32, []Field{number("policy_size", 0, 8)}},
}

// protectRequests are those of linux/fsverity.h, linux/fscrypt.h and linux/fs.h; XFS_IOC_GOINGDOWN has the number that others call FS_IOC_SHUTDOWN.
var protectRequests = []Request{
	{"verity_enable", "FS_IOC_ENABLE_VERITY", 0x40806685, 128, 0, "verity_enable", "verity"},
	{"verity_measure", "FS_IOC_MEASURE_VERITY", 0xc0046686, 4, 36, "verity_digest", "verity"},
	{"verity_metadata", "FS_IOC_READ_VERITY_METADATA", 0xc0286687, 40, 0, "verity_metadata", "verity-metadata"},
	{"crypt_add", "FS_IOC_ADD_ENCRYPTION_KEY", 0xc0506617, 144, 24, "crypt_key", "encrypt"},
	{"crypt_remove", "FS_IOC_REMOVE_ENCRYPTION_KEY", 0xc0406618, 64, 0, "crypt_remove", "encrypt"},
	{"crypt_status", "FS_IOC_GET_ENCRYPTION_KEY_STATUS", 0xc080661a, 128, 128, "crypt_status", "encrypt"},
	{"crypt_policy", "FS_IOC_GET_ENCRYPTION_POLICY_EX", 0xc0096616, 8, 0, "crypt_policy", "encrypt"},
	{"setfslabel", "FS_IOC_SETFSLABEL", 0x41009432, 0, 0, "label", "setfslabel"},
	{"goingdown", "XFS_IOC_GOINGDOWN", 0x8004587d, 4, 0, "flags", "goingdown"},
}
