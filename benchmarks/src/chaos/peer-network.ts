import { connect, createServer, type Server, type Socket } from 'node:net';
import { HalfPipe, type PipeCounts, type Weather } from './half-pipe.ts';
import { connectWithinMs } from './limits.ts';

/** A node as the network sees it. It dials from an address of its own, so that a proxy can tell who it is. */
export interface Place {
  readonly name: string;
  /** An address of 127.0.0.0/8, where it dials from. */
  readonly source: string;
  /** Where it really listens for its peers. */
  readonly listens: { readonly host: string; readonly port: number };
}

export interface NetworkCounts extends PipeCounts {
  connections: number;
  refused: number;
  resets: number;
}

interface Connection {
  readonly dialer: string;
  readonly listener: string;
  readonly sockets: readonly [Socket, Socket];
  readonly pipes: HalfPipe[];
}

const fair: Weather = { kind: 'fair' };

/**
 * The network between the nodes of a cluster: a TCP proxy before each node's peer port. Weather is set for each direction of each
 * pair of nodes, whoever of the two dialled.
 */
export class PeerNetwork {
  readonly counts: NetworkCounts = { bytes: 0, held: 0, delayed: 0, lost: 0, connections: 0, refused: 0, resets: 0 };
  readonly #random: () => number;
  readonly #weather = new Map<string, Weather>();
  readonly #connections = new Set<Connection>();
  readonly #servers = new Map<string, Server>();
  readonly #places: readonly Place[];

  private constructor(places: readonly Place[], random: () => number) {
    this.#places = places;
    this.#random = random;
  }

  static async open(places: readonly Place[], random: () => number): Promise<PeerNetwork> {
    const network = new PeerNetwork(places, random);
    for (const place of places) await network.#listen(place);
    return network;
  }

  /** Where the others must dial a node. */
  addressOf(name: string): string {
    const address = this.#servers.get(name)?.address();
    if (typeof address !== 'object' || address === null) throw new Error(`${name} has no proxy`);
    return `${address.address}:${address.port}`;
  }

  /** Sets the weather from one node to another, one way. */
  set(from: string, to: string, weather: Weather): void {
    this.#weather.set(`${from}>${to}`, weather);
    this.#pump();
  }

  /** Sets it from all the others to a node, from it to them, or both. */
  setAround(name: string, ways: 'to' | 'from' | 'both', weather: Weather): void {
    for (const other of this.#places) {
      if (other.name === name) continue;
      if (ways !== 'from') this.#weather.set(`${other.name}>${name}`, weather);
      if (ways !== 'to') this.#weather.set(`${name}>${other.name}`, weather);
    }
    this.#pump();
  }

  /** Fair weather everywhere. Connections that were held go on. */
  heal(): void {
    this.#weather.clear();
    this.#pump();
  }

  /** Breaks every connection between two nodes, at both ends. */
  reset(one: string, other: string): void {
    for (const connection of this.#connections) {
      const ends = [connection.dialer, connection.listener];
      if (!ends.includes(one) || !ends.includes(other)) continue;
      this.counts.resets++;
      for (const socket of connection.sockets) socket.resetAndDestroy();
    }
  }

  async close(): Promise<void> {
    const closed = [...this.#servers.values()].map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
    for (const { sockets } of this.#connections) for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  }

  #listen(place: Place): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) =>
      this.#accept(socket, place),
    );
    this.#servers.set(place.name, server);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, place.listens.host, resolve);
    });
  }

  #accept(dialed: Socket, to: Place): void {
    const from = this.#places.find(({ source }) => source === dialed.remoteAddress);
    if (from === undefined) {
      this.counts.refused++;
      dialed.destroy();
      return;
    }
    this.counts.connections++;
    const onward = connect({ ...to.listens, allowHalfOpen: true, noDelay: true, timeout: connectWithinMs });
    const pipes: HalfPipe[] = [];
    const connection: Connection = { dialer: from.name, listener: to.name, sockets: [dialed, onward], pipes };
    this.#connections.add(connection);
    const end = (socket: Socket, other: Socket): void => {
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        // What is still held for the other end may go on; a broken connection may not.
        if (socket.errored !== null) other.destroy();
        if (dialed.destroyed && onward.destroyed) this.#connections.delete(connection);
      });
    };
    end(dialed, onward);
    end(onward, dialed);
    onward.once('timeout', () => {
      if (onward.connecting) onward.destroy(new Error(`${to.name} takes no connection`));
    });
    onward.once('connect', () => {
      pipes.push(this.#pipe({ from, to }, dialed, onward), this.#pipe({ from: to, to: from }, onward, dialed));
      dialed.resume();
    });
  }

  #pipe(ends: { readonly from: Place; readonly to: Place }, from: Socket, to: Socket): HalfPipe {
    const way = `${ends.from.name}>${ends.to.name}`;
    const weather = (): Weather => this.#weather.get(way) ?? fair;
    return new HalfPipe({ from, to, weather, random: this.#random, counts: this.counts });
  }

  #pump(): void {
    for (const { pipes } of this.#connections) for (const pipe of pipes) pipe.pump();
  }
}
