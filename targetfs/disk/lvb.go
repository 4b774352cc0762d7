package disk

// Lock value blocks travel with a cluster's locks and are never on disk.

// RgrpLVB is struct gfs2_rgrp_lvb, the lock value block of a resource group.
type RgrpLVB struct {
	Magic       uint32 // rl_magic
	Flags       uint32 // rl_flags
	Free        uint32 // rl_free
	Dinodes     uint32 // rl_dinodes
	Igeneration uint64 // rl_igeneration
	Unlinked    uint32 // rl_unlinked: blocks in state Unlinked
	_           uint32
}

// InodeLVB is struct gfs2_inode_lvb.
type InodeLVB struct {
	Magic             uint32 // ri_magic
	_                 uint32
	GenerationDeleted uint64 // ri_generation_deleted: formal number of the inode last deleted here
}

// QuotaLVB is struct gfs2_quota_lvb; amounts are in blocks.
type QuotaLVB struct {
	Magic uint32 // qb_magic
	_     uint32
	Limit uint64 // qb_limit
	Warn  uint64 // qb_warn
	Value int64  // qb_value
}
