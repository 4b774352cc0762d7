package disk

// Sizes in bytes.
const (
	InumRangeSize    = 16
	StatfsChangeSize = 24
	QuotaSize        = 88
	QuotaChangeSize  = 16
)

// InumRange is the content of inum_rangeN, which no kernel of today uses (struct gfs2_inum_range).
type InumRange struct {
	Start  uint64 // ir_start
	Length uint64 // ir_length
}

// StatfsChange is the content of the statfs file, and the change of it that statfs_changeN holds (struct gfs2_statfs_change).
type StatfsChange struct {
	Total   int64 // sc_total: blocks described by resource groups
	Free    int64 // sc_free
	Dinodes int64 // sc_dinodes
}

// DecodeStatfsChange decodes a record; addr names the block it was read from.
func DecodeStatfsChange(b []byte, addr uint64) (StatfsChange, error) {
	return decode[StatfsChange](b, addr)
}

// Encode writes sc at the start of b.
func (sc *StatfsChange) Encode(b []byte) { encode(b, sc) }

// Add is the sum of sc and d.
func (sc StatfsChange) Add(d StatfsChange) StatfsChange {
	return StatfsChange{sc.Total + d.Total, sc.Free + d.Free, sc.Dinodes + d.Dinodes}
}

// Quota is one record of the quota file: number 2n is user n, 2n+1 is group n (struct gfs2_quota).
type Quota struct {
	Limit uint64 // qu_limit in blocks, 0 for none
	Warn  uint64 // qu_warn in blocks, 0 for none
	Value int64  // qu_value: blocks in use
	_     [64]byte
}

// DecodeQuota decodes a record; addr names the block it was read from.
func DecodeQuota(b []byte, addr uint64) (Quota, error) { return decode[Quota](b, addr) }

// Encode writes q at the start of b.
func (q *Quota) Encode(b []byte) { encode(b, q) }

// QuotaUser marks a QuotaChange of a user; without it the change is of a group (qc_flags).
const QuotaUser = 1

// QuotaChange is one slot of a QC block (struct gfs2_quota_change). A slot with Change 0 is free.
type QuotaChange struct {
	Change int64  // qc_change in blocks
	Flags  uint32 // qc_flags
	ID     uint32 // qc_id
}

// DecodeQuotaChange decodes a slot; addr names the block it was read from.
func DecodeQuotaChange(b []byte, addr uint64) (QuotaChange, error) {
	return decode[QuotaChange](b, addr)
}

// Encode writes qc at the start of b.
func (qc *QuotaChange) Encode(b []byte) { encode(b, qc) }
