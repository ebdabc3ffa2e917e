/** Recoveries that the state remembers: each is a disaster, and the members' answer shows them all. */
export const recoveriesKept = 16;

/** Bytes of a command line that the log keeps: the paths of a configuration and a directory, and the names of nine survivors. */
export const commandBytesMax = 2048;
