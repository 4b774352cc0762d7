package entry

// typeCalls are rows of the table: calls that only one type of file system has, and that hold nothing over their copies, as far as is known.
var typeCalls = []Call{
	{Name: "xfs-path-to-handle", Doc: "XFS_IOC_PATH_TO_HANDLE", Room: 56, Arg: "xfs_handle_req{path=n[0:600], ohandle=n[600:624], ohandlen=n[624:628]}", Before: xfsPath, Do: "ioctl(a, xfs_path_to_handle, $)",
		After: []string{"look(n[624:628], flags{})"}},
	{Name: "xfs-path", Doc: "XFS_IOC_PATH_TO_FSHANDLE with the path in it", Room: 600, From: "n", Before: append(xfsPath, "q = anon(zero*56)"),
		Ready: []string{"put(q, xfs_handle_req{path=$, ohandle=n[600:624], ohandlen=n[624:628]})"}, Do: "ioctl(a, xfs_path_to_fshandle, q)", After: []string{"look(n[624:628], flags{})"}},
	{Name: "xfs-handle", Doc: "XFS_IOC_FD_TO_HANDLE and XFS_IOC_OPEN_BY_HANDLE with the handle in it", Room: 24, Out: true, Before: append(xfsDir, "n = anon(zero*60)"),
		Ready: []string{"put(n[0:56], xfs_handle_req{fd=a, ihandle=$, ihandlen=24, ohandle=$, ohandlen=n[56:60]})"}, Do: "ioctl(a, xfs_fd_to_handle, n[0:56])",
		After: []string{"h = xfs_open_by_handle(d, n[0:56])"}},
	{Name: "xfs-open-by-handle", Doc: "XFS_IOC_OPEN_BY_HANDLE", Room: 56, Arg: "xfs_handle_req{ihandle=n[0:24], ihandlen=24}", Before: append(xfsDir, xfsHandle...), Do: "h = xfs_open_by_handle(d, $)"},
	{Name: "xfs-readlink-to", Doc: "XFS_IOC_READLINK_BY_HANDLE into it", Room: 40, Out: true,
		Before: append(xfsDir, "symlink(Target_with_a_long_name, L)", "n = anon(zero*800)", "put_path(n[0:600], L)", "put(n[600:656], xfs_handle_req{path=n[0:600], ohandle=n[700:724], ohandlen=n[724:728]})",
			"ioctl(a, xfs_path_to_handle, n[600:656])", "put(n[724:728], flags{flags=40})"),
		Ready: []string{"put(n[600:656], xfs_handle_req{ihandle=n[700:724], ihandlen=24, ohandle=$, ohandlen=n[724:728]})"}, Do: "ioctl(d, xfs_readlink_by_handle, n[600:656])"},
	{Name: "xfs-attrlist", Doc: "XFS_IOC_ATTRLIST_BY_HANDLE", Room: 88, Arg: "xfs_attr_list{ihandle=n[0:24], ihandlen=24, buflen=1024, buffer=v}", Out: true,
		Before: append(xfsDir, append(xfsHandle, "v = anon(zero*1024)")...), Do: "ioctl(d, xfs_attrlist_by_handle, $)", After: []string{"look(v[0:8], xfs_attrs{})"}},
	{Name: "xfs-attrlist-to", Doc: "XFS_IOC_ATTRLIST_BY_HANDLE with the list in it", Room: 1024, Out: true, Before: append(xfsDir, append(xfsHandle, "v = anon(zero*88)")...),
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
}

var (
	// xfsDir opens a directory, as requests by handle want; xfsPath makes memory with the path of A, and room for its handle; xfsHandle makes the handle.
	xfsDir    = []string{"mkdir(D)", "d = open(D, rdonly)"}
	xfsPath   = []string{"n = anon(zero*700)", "put_path(n[0:600], A)"}
	xfsHandle = []string{"n = anon(zero*100)", "put(n[28:84], xfs_handle_req{fd=a, ohandle=n[0:24], ohandlen=n[24:28]})", "ioctl(a, xfs_fd_to_handle, n[28:84])"}
	// xfsAttr gives A an attribute, besides.
	xfsAttr = append(xfsDir, append(xfsHandle, `v = anon("user.a" + zero*1 + pat3*100 + zero*1400)`, "setxattr(a, v[0:7], v[7:107], set)")...)
)

// plain says of calls that nothing is held over their copies.
func plain(calls []Call) []Call {
	for i := range calls {
		calls[i].Plain = true
	}
	return calls
}
