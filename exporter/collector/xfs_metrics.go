package collector

import "github.com/hearth-monitoring/hearth/exporter/text"

// xfsMetrics are the metrics of a file system's statistics: by a line's name, a family a column. The names are those of
// https://xfs.org/index.php/Runtime_Stats.
func xfsMetrics() map[string][]*text.Family {
	total := func(name, help string) *text.Family { return text.Counter("node_xfs_"+name, help, "device") }
	return map[string][]*text.Family{
		"extent_alloc": {
			total("extent_allocation_extents_allocated_total", "Number of extents allocated for a filesystem."),
			total("extent_allocation_blocks_allocated_total", "Number of blocks allocated for a filesystem."),
			total("extent_allocation_extents_freed_total", "Number of extents freed for a filesystem."),
			total("extent_allocation_blocks_freed_total", "Number of blocks freed for a filesystem."),
		},
		"abt": {
			total("allocation_btree_lookups_total", "Number of allocation B-tree lookups for a filesystem."),
			total("allocation_btree_compares_total", "Number of allocation B-tree compares for a filesystem."),
			total("allocation_btree_records_inserted_total", "Number of allocation B-tree records inserted for a filesystem."),
			total("allocation_btree_records_deleted_total", "Number of allocation B-tree records deleted for a filesystem."),
		},
		"blk_map": {
			total("block_mapping_reads_total", "Number of block map for read operations for a filesystem."),
			total("block_mapping_writes_total", "Number of block map for write operations for a filesystem."),
			total("block_mapping_unmaps_total", "Number of block unmaps (deletes) for a filesystem."),
			total("block_mapping_extent_list_insertions_total", "Number of extent list insertions for a filesystem."),
			total("block_mapping_extent_list_deletions_total", "Number of extent list deletions for a filesystem."),
			total("block_mapping_extent_list_lookups_total", "Number of extent list lookups for a filesystem."),
			total("block_mapping_extent_list_compares_total", "Number of extent list compares for a filesystem."),
		},
		"bmbt": {
			total("block_map_btree_lookups_total", "Number of block map B-tree lookups for a filesystem."),
			total("block_map_btree_compares_total", "Number of block map B-tree compares for a filesystem."),
			total("block_map_btree_records_inserted_total", "Number of block map B-tree records inserted for a filesystem."),
			total("block_map_btree_records_deleted_total", "Number of block map B-tree records deleted for a filesystem."),
		},
		"dir": {
			total("directory_operation_lookup_total", "Number of file name directory lookups which miss the operating systems directory name lookup cache."),
			total("directory_operation_create_total", "Number of times a new directory entry was created for a filesystem."),
			total("directory_operation_remove_total", "Number of times an existing directory entry was created for a filesystem."),
			total("directory_operation_getdents_total", "Number of times the directory getdents operation was performed for a filesystem."),
		},
		"ig": {
			total("inode_operation_attempts_total", "Number of times the OS looked for an XFS inode in the inode cache."),
			total("inode_operation_found_total", "Number of times the OS looked for and found an XFS inode in the inode cache."),
			total("inode_operation_recycled_total", "Number of times the OS found an XFS inode in the cache, but could not use it as it was being recycled."),
			total("inode_operation_missed_total", "Number of times the OS looked for an XFS inode in the cache, but did not find it."),
			total("inode_operation_duplicates_total", "Number of times the OS tried to add a missing XFS inode to the inode cache, but found it had already been added by another process."),
			total("inode_operation_reclaims_total", "Number of times the OS reclaimed an XFS inode from the inode cache to free memory for another purpose."),
			total("inode_operation_attribute_changes_total", "Number of times the OS explicitly changed the attributes of an XFS inode."),
		},
		"rw": {
			total("write_calls_total", "Number of write(2) system calls made to files in a filesystem."),
			total("read_calls_total", "Number of read(2) system calls made to files in a filesystem."),
		},
		"vnodes": {
			total("vnode_active_total", "Number of vnodes not on free lists for a filesystem."),
			total("vnode_allocate_total", "Number of times vn_alloc called for a filesystem."),
			total("vnode_get_total", "Number of times vn_get called for a filesystem."),
			total("vnode_hold_total", "Number of times vn_hold called for a filesystem."),
			total("vnode_release_total", "Number of times vn_rele called for a filesystem."),
			total("vnode_reclaim_total", "Number of times vn_reclaim called for a filesystem."),
			total("vnode_remove_total", "Number of times vn_remove called for a filesystem."),
		},
	}
}
