package entry

import "slices"

// typeCalls are rows of the table: calls that only one type of file system has, and that hold nothing over their copies, as far as is known.
var typeCalls = []Call{
	asked("xfs-ag-geometry", "XFS_IOC_AG_GEOMETRY", "xfs_ag_geometry", "xfs_ag_geometry{}", 128, 128),
	answered("xfs-counts", "XFS_IOC_FSCOUNTS", "xfs_counts", "xfs_counts", 32),
	asked("xfs-scrub", "XFS_IOC_SCRUB_METADATA", "xfs_scrub", "xfs_scrub{}", 64, 64),
	answered("xfs-geometry", "XFS_IOC_FSGEOMETRY", "xfs_geometry", "xfs_geometry", 256),
	{Name: "xfs-path-to-handle", Doc: "XFS_IOC_PATH_TO_HANDLE", Room: 56, Arg: "xfs_handle_req{path=n[0:600], ohandle=n[600:624], ohandlen=n[624:628]}", Before: xfsPath, Do: "ioctl(a, xfs_path_to_handle, $)",
		After: []string{"look(n[624:628], flags{})"}},
	{Name: "xfs-path", Doc: "XFS_IOC_PATH_TO_FSHANDLE with the path in it", Room: 600, From: "n", Before: append(xfsPath, "q = anon(zero*56)"),
		Ready: []string{"put(q, xfs_handle_req{path=$, ohandle=n[600:624], ohandlen=n[624:628]})"}, Do: "ioctl(a, xfs_path_to_fshandle, q)", After: []string{"look(n[624:628], flags{})"}},
	{Name: "xfs-handle", Doc: "XFS_IOC_FD_TO_HANDLE and XFS_IOC_OPEN_BY_HANDLE with the handle in it", Room: 24, Out: true, Before: append(openD, "n = anon(zero*60)"),
		Ready: []string{"put(n[0:56], xfs_handle_req{fd=a, ihandle=$, ihandlen=24, ohandle=$, ohandlen=n[56:60]})"}, Do: "ioctl(a, xfs_fd_to_handle, n[0:56])",
		After: []string{"h = xfs_open_by_handle(d, n[0:56])"}},
	{Name: "xfs-open-by-handle", Doc: "XFS_IOC_OPEN_BY_HANDLE", Room: 56, Arg: "xfs_handle_req{ihandle=n[0:24], ihandlen=24}", Before: append(openD, xfsHandle...), Do: "h = xfs_open_by_handle(d, $)"},
	{Name: "xfs-readlink-to", Doc: "XFS_IOC_READLINK_BY_HANDLE into it", Room: 40, Out: true,
		Before: append(openD, "symlink(Target_with_a_long_name, L)", "n = anon(zero*800)", "put_path(n[0:600], L)", "put(n[600:656], xfs_handle_req{path=n[0:600], ohandle=n[700:724], ohandlen=n[724:728]})",
			"ioctl(a, xfs_path_to_handle, n[600:656])", "put(n[724:728], flags{flags=40})"),
		Ready: []string{"put(n[600:656], xfs_handle_req{ihandle=n[700:724], ihandlen=24, ohandle=$, ohandlen=n[724:728]})"}, Do: "ioctl(d, xfs_readlink_by_handle, n[600:656])"},
	{Name: "xfs-attrlist", Doc: "XFS_IOC_ATTRLIST_BY_HANDLE", Room: 88, Arg: "xfs_attr_list{ihandle=n[0:24], ihandlen=24, buflen=1024, buffer=v}", Out: true,
		Before: append(openD, append(xfsHandle, "v = anon(zero*1024)")...), Do: "ioctl(d, xfs_attrlist_by_handle, $)", After: []string{"look(v[0:8], xfs_attrs{})"}},
	{Name: "xfs-attrlist-to", Doc: "XFS_IOC_ATTRLIST_BY_HANDLE with the list in it", Room: 1024, Out: true, Before: append(openD, append(xfsHandle, "v = anon(zero*88)")...),
		Ready: []string{"put(v, xfs_attr_list{ihandle=n[0:24], ihandlen=24, buflen=1024, buffer=$})"}, Do: "ioctl(d, xfs_attrlist_by_handle, v)", After: []string{"look($[0:8], xfs_attrs{})"}},
	{Name: "xfs-attrmulti-op", Doc: "XFS_IOC_ATTRMULTI_BY_HANDLE with its operation in it", Room: 32, Arg: "xfs_attr_op{am_opcode=1, am_attrname=v[5:7], am_attrvalue=v[200:1224], am_length=1024}", Out: true,
		Before: xfsAttr, Ready: []string{"put(v[1300:1372], xfs_attr_multi{ihandle=n[0:24], ihandlen=24, opcount=1, ops=$})"}, Do: "ioctl(d, xfs_attrmulti_by_handle, v[1300:1372])",
		After: []string{"look($, xfs_attr_op{})"}},
	{Name: "xfs-attrmulti-value", Doc: "XFS_IOC_ATTRMULTI_BY_HANDLE with the value in it", Room: 1024, Out: true, Before: xfsAttr,
		Ready: []string{"put(v[1400:1432], xfs_attr_op{am_opcode=1, am_attrname=v[5:7], am_attrvalue=$, am_length=1024})",
			"put(v[1300:1372], xfs_attr_multi{ihandle=n[0:24], ihandlen=24, opcount=1, ops=v[1400:1432]})"},
		Do: "ioctl(d, xfs_attrmulti_by_handle, v[1300:1372])", After: []string{"look(v[1400:1432], xfs_attr_op{})"}},
	{Name: "xfs-scrubv", Doc: "XFS_IOC_SCRUBV_METADATA with its list in it", Room: 16, Arg: "xfs_scrub_item{}", Out: true, Before: []string{"n = anon(zero*40)"},
		Ready: []string{"put(n, xfs_scrub_vec{svh_nr=1, svh_vectors=$})"}, Do: "ioctl(a, xfs_scrubv, n)", After: []string{"look($, xfs_scrub_item{})"}},

	asked("btrfs-dev-info", "BTRFS_IOC_DEV_INFO", "btrfs_dev_info", "btrfs_dev_info{devid=1}", 4096, 4096),
	asked("btrfs-space-info", "BTRFS_IOC_SPACE_INFO", "btrfs_space_info", "btrfs_space{space_slots=3}", 16, 16+3*24),
	asked("btrfs-rootref", "BTRFS_IOC_GET_SUBVOL_ROOTREF", "btrfs_rootref", "btrfs_rootref{}", 4096, 4096),
	answered("btrfs-rescan", "BTRFS_IOC_QUOTA_RESCAN_STATUS", "btrfs_rescan", "btrfs_rescan", 64),
	answered("btrfs-fs-info", "BTRFS_IOC_FS_INFO", "btrfs_fs_info", "btrfs_fs_info", 1024),
	asked("btrfs-ino-lookup", "BTRFS_IOC_INO_LOOKUP", "btrfs_ino_lookup", "btrfs_ino_lookup{objectid=256}", 4096, 4096),
	answered("btrfs-subvol-info", "BTRFS_IOC_GET_SUBVOL_INFO", "btrfs_subvol_info", "btrfs_subvol_info", 504),
	{Name: "btrfs-create", Doc: "BTRFS_IOC_SUBVOL_CREATE_V2", Room: 4096, Arg: "btrfs_vol{name=83}", Before: openD, Do: "btrfs_subvolume(d, create, $, D/S)"},
	{Name: "btrfs-snapshot", Doc: "BTRFS_IOC_SNAP_CREATE_V2", Room: 4096, Arg: "btrfs_vol{fd=s, name=84}", Before: subvolume, Do: "btrfs_subvolume(d, snapshot, $, D/T)"},
	{Name: "btrfs-lookup-user", Doc: "BTRFS_IOC_INO_LOOKUP_USER", Room: 4096, From: "v", Out: true, Before: slices.Concat(subvolume, []string{"v = anon(zero*4600)", "ioctl(s, btrfs_subvol_info, v[4096:4600])",
		"p = pipe()", "write(p, v[4368:4376])", "write(p, v[4096:4104])", "read(p, v[0:16])"}), Do: "ioctl(d, btrfs_ino_lookup_user, $)", After: []string{"look($, btrfs_ino_lookup_user{})"}},
	{Name: "btrfs-received", Doc: "BTRFS_IOC_SET_RECEIVED_SUBVOL", Room: 200, Arg: "btrfs_received{stransid=7}", Out: true, Before: subvolume, Do: "ioctl(s, btrfs_received, $)",
		After: []string{"look($, btrfs_received{})"}},
	{Name: "btrfs-send", Doc: "BTRFS_IOC_SEND", Room: 72, Arg: "btrfs_send{send_fd=c}", Copied: true, Before: slices.Concat(frozen, []string{openC}), Do: "ioctl(t, btrfs_send, $)", After: []string{"check(C)"}},
	{Name: "btrfs-send-sources", Doc: "BTRFS_IOC_SEND with its sources of clones in it", Room: 8, From: "v", Copied: true,
		Before: slices.Concat(frozen, []string{openC, "v = anon(zero*576)", "ioctl(t, btrfs_subvol_info, v[0:504])"}),
		Ready:  []string{"put(v[504:576], btrfs_send{send_fd=c, clone_sources_count=1, clone_sources=$})"}, Do: "ioctl(t, btrfs_send, v[504:576])", After: []string{"check(C)"}},
	{Name: "btrfs-balance", Doc: "BTRFS_IOC_BALANCE_V2", Room: 1024, Arg: "btrfs_balance{flags=1, data_flags=2}", Out: true, Do: "ioctl(a, btrfs_balance, $)", After: []string{"look($, btrfs_balance{})"}},
	{Name: "btrfs-balance-progress", Doc: "BTRFS_IOC_BALANCE_PROGRESS", Room: 1024, Out: true, Do: "ioctl(a, btrfs_balance_progress, $)"},
	{Name: "btrfs-dev-stats", Doc: "BTRFS_IOC_GET_DEV_STATS", Room: 1032, Arg: "btrfs_dev_stats{devid=1, nr_items=5}", Out: true, Do: "ioctl(a, btrfs_dev_stats, $)",
		After: []string{"look($, btrfs_dev_stats{})"}},
	{Name: "btrfs-quota", Doc: "BTRFS_IOC_QUOTA_CTL", Room: 16, Arg: "btrfs_quota{cmd=1}", Out: true, Before: quotas[:1], Do: "ioctl(a, btrfs_quota, $)",
		After: append([]string{"look($, btrfs_quota{})"}, noQuotas...)},
	{Name: "btrfs-qgroup-create", Doc: "BTRFS_IOC_QGROUP_CREATE", Room: 16, Arg: "btrfs_qgroup{create=1, id=1, level=1}", Before: quotas, Do: "ioctl(a, btrfs_qgroup_create, $)", After: noQuotas},
	{Name: "btrfs-qgroup-assign", Doc: "BTRFS_IOC_QGROUP_ASSIGN", Room: 24, Arg: "btrfs_qgroup_assign{assign=1, src_id=1, src_level=1, dst_id=1, dst_level=2}", Before: groups,
		Do: "ioctl(a, btrfs_qgroup_assign, $)", After: noQuotas},
	{Name: "btrfs-qgroup-limit", Doc: "BTRFS_IOC_QGROUP_LIMIT", Room: 48, Arg: "btrfs_limit{id=1, level=1, flags=1, max_rfer=1048576}", Before: groups,
		Do: "ioctl(a, btrfs_qgroup_limit, $)", After: noQuotas},
	{Name: "btrfs-uring-read", Doc: "BTRFS_IOC_ENCODED_READ through io_uring", Handed: true, Room: 128, Arg: "btrfs_encoded{iov=n[0:16], iovcnt=1}", Out: true, Before: encoded,
		Do: "uring_cmd(a, btrfs_encoded_read, $)", After: []string{"look($, btrfs_encoded{})"}},
	{Name: "btrfs-uring-read-to", Doc: "BTRFS_IOC_ENCODED_READ through io_uring into it", Handed: true, Room: 4096, Out: true, Before: []string{"n = anon(zero*144)"},
		Ready: []string{"put(n[0:16], iovec{iov_base=$, iov_len=4096})", "put(n[16:144], btrfs_encoded{iov=n[0:16], iovcnt=1})"}, Do: "uring_cmd(a, btrfs_encoded_read, n[16:144])"},
	{Name: "btrfs-uring-write", Doc: "BTRFS_IOC_ENCODED_WRITE of compressed data in it through io_uring", Handed: true, Room: 11, Text: Frame, Before: []string{"n = anon(zero*144)"},
		Ready: []string{"put(n[0:16], iovec{iov_base=$, iov_len=11})", "put(n[16:144], btrfs_encoded{iov=n[0:16], iovcnt=1, len=8192, unencoded_len=8192, compression=2})"},
		Do:    "uring_cmd(a, btrfs_encoded_write, n[16:144])", After: []string{"fsync(a)"}},

	answered("ext4-getstate", "EXT4_IOC_GETSTATE", "ext4_getstate", "flags", 4),
	{Name: "ext4-group-extend", Doc: "EXT4_IOC_GROUP_EXTEND", Room: 4, Arg: "word{}", Do: "ioctl(a, ext4_group_extend, $)"},
	{Name: "ext4-group-add", Doc: "EXT4_IOC_GROUP_ADD", Room: 40, Arg: "ext4_group{}", Do: "ioctl(a, ext4_group_add, $)"},
	{Name: "ext4-resize", Doc: "EXT4_IOC_RESIZE_FS", Room: 8, Arg: "blocks{blocks=1}", Do: "ioctl(a, ext4_resize, $)"},
	{Name: "f2fs-pin-file", Doc: "F2FS_IOC_GET_PIN_FILE", Room: 4, Out: true, Do: "ioctl(a, f2fs_pin_file, $)"},
	asked("f2fs-defragment", "F2FS_IOC_DEFRAGMENT", "f2fs_defragment", "f2fs_defragment{len=1p}", 16, 16),
	{Name: "f2fs-sec-trim", Doc: "F2FS_IOC_SEC_TRIM_FILE", Room: 24, Arg: "f2fs_sectrim{len=1p, flags=2}", Do: "ioctl(a, f2fs_sec_trim, $)"},
	{Name: "f2fs-gc", Doc: "F2FS_IOC_GARBAGE_COLLECT", Room: 4, Arg: "word{n=1}", Do: "ioctl(a, f2fs_gc, $)"},
	{Name: "f2fs-gc-range", Doc: "F2FS_IOC_GARBAGE_COLLECT_RANGE", Room: 24, Arg: "f2fs_gc{len=1}", Do: "ioctl(a, f2fs_gc_range, $)"},
	{Name: "f2fs-get-compression", Doc: "F2FS_IOC_GET_COMPRESS_OPTION", Room: 2, Out: true, Do: "ioctl(a, f2fs_get_compression, $)"},
	{Name: "f2fs-set-compression", Doc: "F2FS_IOC_GET_COMPRESS_OPTION and F2FS_IOC_SET_COMPRESS_OPTION", Room: 2, From: "n", Before: []string{"n = anon(zero*2)", "ioctl(a, f2fs_get_compression, n)"},
		Do: "ioctl(a, f2fs_set_compression, $)"},
	{Name: "f2fs-set-pin", Doc: "F2FS_IOC_SET_PIN_FILE", Room: 4, Arg: "word{}", Do: "ioctl(a, f2fs_set_pin, $)"},
	{Name: "ocfs2-info", Doc: "OCFS2_IOC_INFO", Room: 16, Arg: "ocfs2_info{oi_requests=n[0:16], oi_count=2}", Before: ocfs2, Do: "ioctl(a, ocfs2_info, $)",
		After: []string{"look(n[16:40], ocfs2_request{})", "look(n[40:64], ocfs2_request{})"}},
	{Name: "ocfs2-info-list", Doc: "OCFS2_IOC_INFO with a pointer of its list in it", Room: 8, Arg: "pointer{to=n[40:64]}", Before: append(ocfs2, "i = anon(zero*16)"),
		Ready: []string{"put(i, ocfs2_info{oi_requests=$, oi_count=1})"}, Do: "ioctl(a, ocfs2_info, i)", After: []string{"look(n[40:64], ocfs2_request{})"}},
	{Name: "ocfs2-info-request", Doc: "OCFS2_IOC_INFO with a request in it", Room: 24, Arg: "ocfs2_request{ir_magic=1328695630, ir_code=2, ir_size=24}", Out: true,
		Before: append(ocfs2, "i = anon(zero*16)", "put(i, ocfs2_info{oi_requests=n[0:16], oi_count=2})"), Ready: []string{"put(n[8:16], pointer{to=$})"}, Do: "ioctl(a, ocfs2_info, i)",
		After: []string{"look(n[16:40], ocfs2_request{})", "look($, ocfs2_request{})"}},
}

var (
	// openD opens a directory, as some requests want; subvolume makes one in it, frozen a snapshot that is read-only.
	openD     = []string{"mkdir(D)", "d = open(D, rdonly)"}
	subvolume = append(openD, "n = anon(zero*4096)", "put(n, btrfs_vol{name=83})", "btrfs_subvolume(d, create, n, D/S)", "s = open(D/S, rdonly)")
	frozen    = slices.Concat(subvolume, []string{"put(n, btrfs_vol{fd=s, flags=2, name=84})", "btrfs_subvolume(d, snapshot, n, D/T)", "t = open(D/T, rdonly)"})
	// quotas switches quotas on, which forgets groups that a program has left that failed, groups makes two groups, noQuotas switches them off, once all is counted: 5.10 says in its log that it
	// could not count to the end.
	quotas   = []string{"n = anon(zero*16)", "put(n, btrfs_quota{cmd=2})", "ioctl(a, btrfs_quota, n)", "put(n, btrfs_quota{cmd=1})", "ioctl(a, btrfs_quota, n)"}
	groups   = append(quotas, "put(n, btrfs_qgroup{create=1, id=1, level=1})", "ioctl(a, btrfs_qgroup_create, n)", "put(n, btrfs_qgroup{create=1, id=1, level=2})", "ioctl(a, btrfs_qgroup_create, n)")
	noQuotas = []string{"ioctl(a, btrfs_rescan_wait, n)", "put(n, btrfs_quota{cmd=2})", "ioctl(a, btrfs_quota, n)"}
	// ocfs2 makes a list of two requests.
	ocfs2 = []string{"n = anon(zero*64)", "put(n[0:8], pointer{to=n[16:40]})", "put(n[8:16], pointer{to=n[40:64]})", "put(n[16:40], ocfs2_request{ir_magic=1328695630, ir_code=1, ir_size=24})",
		"put(n[40:64], ocfs2_request{ir_magic=1328695630, ir_code=2, ir_size=24})"}
	// xfsPath makes memory with the path of A, and room for its handle; xfsHandle makes the handle.
	xfsPath   = []string{"n = anon(zero*700)", "put_path(n[0:600], A)"}
	xfsHandle = []string{"n = anon(zero*100)", "put(n[28:84], xfs_handle_req{fd=a, ohandle=n[0:24], ohandlen=n[24:28]})", "ioctl(a, xfs_fd_to_handle, n[28:84])"}
	// xfsAttr gives A an attribute, besides.
	xfsAttr = append(openD, append(xfsHandle, `v = anon("user.a" + zero*1 + pat3*100 + zero*1400)`, "setxattr(a, v[0:7], v[7:107], set)")...)
)

// plain says of calls that nothing is held over their copies.
func plain(calls []Call) []Call {
	for i := range calls {
		calls[i].Plain = true
	}
	return calls
}
