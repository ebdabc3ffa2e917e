/** Bytes that one direction of a proxied connection holds back before it stops reading: about a TCP window. */
export const queuedBytesMax: number = 1024 * 1024;
/** How long a proxy waits for the node behind it to take a connection. */
export const connectWithinMs = 2_000;
/** Registers that are written at once: few, so that their operations overlap. */
export const registersAtOnce = 4;
/** Operations on one register: what is unknown stays open, and the search for an order grows with it. */
export const operationsPerKeyMax = 150;
/** Steps of one register's search; a history of 200 operations without many open ones needs some hundreds. */
export const checkStepsMax = 2_000_000;
/** Workers of each kind. Two cores run the cluster as well as the clients. */
export const registerWorkers = 8;
export const certificateWorkers = 3;
/** Each worker rests this long between two operations. */
export const restMs = 40;
/** A client that tries once gives up after this, one that goes on after that. */
export const singleDeadlineMs = 3_000;
export const patientDeadlineMs = 15_000;
/** A process that ended by itself is started again after this, as a supervisor would. */
export const restartAfterMs = 300;
/** Longest time from the end of a fault to a write through every node. */
export const recoveredWithinMs = 30_000;
/** How long faults last, and how long the cluster has between two of them. */
export const faultMs = { least: 1_000, span: 3_000 };
export const restBetweenMs = { least: 500, span: 1_500 };
/** This share of the faults that are not mild comes on top of a mild one. */
export const mildShare = 0.3;
/** A fault that nothing shows is injected again: a network may have had nothing to say just then. */
export const triesUntilShown = 3;
/** A process that is started has opened its files and unsealed itself by then, on a busy machine too. */
export const readyWithinMs = 60_000;
