package model

// typeRequests are what is known of the requests of package prog's file types.go.
var typeRequests = map[string]func(*request) (*value, error){
	"xfs_path_to_fshandle": (*request).pathToFSHandle, "xfs_path_to_handle": (*request).pathToHandle, "xfs_fd_to_handle": (*request).fdToHandle,
	"xfs_readlink_by_handle": (*request).readlinkByHandle, "xfs_attrlist_by_handle": (*request).attrlist, "xfs_attrmulti_by_handle": (*request).attrmulti,
	"xfs_scrubv": (*request).scrubv,
}
