// Every bound of the doors. What is refused at one names it in the message.

const KiB = 1024;
const MiB = 1024 * KiB;

/** A request's body, HTTP or gRPC. A KV value is at most 512 KiB, and base64 in JSON makes a third more of it. */
export const bodyBytesMax: number = 1 * MiB;
/** What is read and thrown away of a refused body, so that its sender gets to see the answer; then the connection is cut. */
export const bodyDrainBytesMax: number = 16 * MiB;
/** All headers of one request. Service meshes send 20 KiB and more; Node's own bound, 16 KiB, refuses them. */
export const headerBytesMax: number = 64 * KiB;
/** The request target (path and query), as most servers and proxies bound it. */
export const targetBytesMax: number = 8 * KiB;
/** A decoded path. Storage keys are made of it; LevelDB compares them in full. */
export const pathBytesMax: number = 4 * KiB;
/** One segment of a path: twice the longest name that any engine allows. */
export const segmentBytesMax = 512;
/** Segments of a path: policies are matched segment by segment. */
export const segmentsMax = 64;
/** Query parameters, or fields of a form: more than any route has. */
export const parametersMax = 128;

/** A token or wrapped token: ours have 95 characters, a batch token of Vault's below 400. */
export const tokenBytesMax = 512;
/** An idempotency key: a UUID needs 36; it is kept for each remembered request. */
export const idempotencyKeyBytesMax = 128;
/** Other headers that we pass on (namespace, wrap TTL). */
export const headerValueBytesMax = 512;

/** Nesting of JSON. V8 parses what it then cannot stringify; no request of Vault's clients goes beyond 10. */
export const jsonDepthMax = 64;
/** Strings, numbers, objects, arrays in one body. 1 MiB of `{},` blocks the loop for 280 ms; this many parse in 3. */
export const jsonTokensMax: number = 32 * KiB;

/** How often the scan of a body may look at one of its bytes, so that no body of 1 MiB costs more than another: tests hold it to this. */
export const jsonLooksPerByteMax = 3;

/** The longest that a request may wait for its answer; longer deadlines are cut to it. Below `socketIdleMs`, so that the answer still finds its socket. */
export const deadlineMsMax = 90_000;

/** Headers must be complete by then (a client sends them in one packet). */
export const headersTimeoutMs = 10_000;
/** The whole request must be here by then. */
export const requestTimeoutMs = 30_000;
/** Go's clients keep idle connections for 90 s; closing first would race with their next request. */
export const keepAliveTimeoutMs = 120_000;
/** A socket on which nothing moves, request under way or not. */
export const socketIdleMs = 120_000;
/** The answer to an upload: a snapshot of tens of gigabytes is checked, brought to a quorum and put in place before it. */
export const uploadAnswerMs: number = 30 * 60_000;
export const tlsHandshakeTimeoutMs = 5_000;
/** How often Node looks for requests that are late. */
export const connectionsCheckMs = 1_000;
/** Open HTTP connections. 40 KiB each with TLS; a setting, since a large fleet may want more. */
export const connectionsMax = 4_096;
/** Requests on one connection, so that a fleet spreads again after nodes come and go. */
export const requestsPerConnectionMax = 100_000;
/** How long a closing door waits for the requests that it has. */
export const closeGraceMs = 10_000;

/** Calls at once on one gRPC connection. A client that wants more opens another; each may hold a whole body. */
export const grpcStreamsMax = 128;
/** Megabytes that one HTTP/2 session may hold of headers and frames in flight (Node's own default; grpc-js would lift it). */
export const grpcSessionMegabytesMax = 10;
/** Bytes of a stream in one message: below the 4 MiB that clients take unless told otherwise, enough that a message's cost vanishes. */
export const grpcMessageDataBytes: number = 256 * KiB;
/** A gRPC connection that is silent is pinged after this, */
export const grpcKeepaliveMs = 60_000;
/** and dropped when no answer comes within this. */
export const grpcKeepaliveTimeoutMs = 20_000;
/** A gRPC connection without a call is closed after this. */
export const grpcConnectionIdleMs: number = 10 * 60_000;
/** Health watches at once over the door: load balancers hold one each. */
export const healthWatchesMax = 256;
/** How often a watched health is looked at. */
export const healthWatchMs = 500;
/** Trailers must fit the 16 KiB of headers that clients accept. */
export const statusMessageBytesMax: number = 1 * KiB;
