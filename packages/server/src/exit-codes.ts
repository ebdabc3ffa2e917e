// How a node ends, for its supervisor: docs/disk.md.

/** As sysexits' EX_DATAERR: what is on the disk is damaged. To start the node again would not help, so a supervisor should not. */
export const exitDamaged = 65;
/** As sysexits' EX_IOERR: a write failed, and what is on the disk is no longer known. A supervisor starts the node again. */
export const exitDiskFailed = 74;
