package entry

// protectCalls are requests that several file systems have, about protected files and the whole file system.
var protectCalls = []Call{
	{Name: "verity-enable", Plain: true, Doc: "FS_IOC_ENABLE_VERITY", Room: 128, Arg: enable, Before: unprotected, Do: "ioctl(v, verity_enable, $)", After: []string{"check(V)"}},
	{Name: "verity-salt", Plain: true, Doc: "FS_IOC_ENABLE_VERITY with the salt in it", Room: 32, Text: "pat4*32", Before: unprotected,
		Ready: []string{"put(n, verity_enable{version=1, hash_algorithm=1, block_size=1p, salt_size=32, salt_ptr=$})"}, Do: "ioctl(v, verity_enable, n)", After: []string{"check(V)"}},
	{Name: "verity-measure", Plain: true, Doc: "FS_IOC_MEASURE_VERITY", Room: 36, Arg: "verity_digest{digest_size=32}", Out: true, Before: protected, Do: "ioctl(v, verity_measure, $)", After: []string{"look($, verity_digest{})"}},
	{Name: "verity-metadata", Plain: true, Doc: "FS_IOC_READ_VERITY_METADATA", Room: 40, Arg: "verity_metadata{metadata_type=2, length=128, buf_ptr=n}", Before: protected, Do: "ioctl(v, verity_metadata, $)"},
	{Name: "verity-tree", Plain: true, Doc: "FS_IOC_READ_VERITY_METADATA with a part of the tree in it", Room: 600, Out: true, Before: protected,
		Ready: []string{"put(n[0:40], verity_metadata{metadata_type=1, length=600, buf_ptr=$})"}, Do: "ioctl(v, verity_metadata, n[0:40])"},
	{Name: "crypt-add", Plain: true, Doc: "FS_IOC_ADD_ENCRYPTION_KEY", Room: 144, Arg: "crypt_key{key_type=2, raw_size=64}", Out: true, Do: "ioctl(a, crypt_add, $)", After: []string{"ioctl(a, crypt_remove, $[0:64])"}},
	{Name: "crypt-status", Plain: true, Doc: "FS_IOC_GET_ENCRYPTION_KEY_STATUS", Room: 128, Arg: "crypt_status{key_type=1}", Out: true, Do: "ioctl(a, crypt_status, $)", After: []string{"look($, crypt_status{})"}},
	{Name: "crypt-policy", Plain: true, Doc: "FS_IOC_GET_ENCRYPTION_POLICY_EX", Room: 32, Arg: "crypt_policy{policy_size=24}", Out: true, Do: "ioctl(a, crypt_policy, $)"},
	{Name: "setfslabel", Plain: true, Doc: "FS_IOC_SETFSLABEL", Room: 256, Text: `"faultline" + zero*247`, Do: "ioctl(a, setfslabel, $)"},
	{Name: "goingdown", Plain: true, Doc: "XFS_IOC_GOINGDOWN, which is FS_IOC_SHUTDOWN", Room: 4, Arg: "flags{flags=99}", Do: "ioctl(a, goingdown, $)"},
}

const enable = "verity_enable{version=1, hash_algorithm=1, block_size=1p}"

var (
	// unprotected makes V, which nobody has open for writing, and room for a struct; protected protects it.
	unprotected = []string{"w = open(V, rdwr|creat)", "o = anon(pat6*3p)", "write(w, o)", "close(w)", "v = open(V, rdonly)", "n = anon(zero*128)"}
	protected   = append(unprotected, "put(n, "+enable+")", "ioctl(v, verity_enable, n)")
)
