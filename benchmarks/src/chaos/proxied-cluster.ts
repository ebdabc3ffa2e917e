import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ClusterFiles, openClusterFiles } from '@lockstep/server/dev/cluster-files';
import { DevCluster } from '@lockstep/server/dev/dev-cluster';
import { atEnd } from '../at-end.ts';
import { soundFaultFile, writeFaultFile } from './fault-file.ts';
import { PeerNetwork, type Place } from './peer-network.ts';
import { mountSmallDisk, type SmallDisk } from './small-disk.ts';

/** A cluster of real processes whose nodes reach each other only through proxies in this process. */
export interface ProxiedCluster {
  readonly cluster: DevCluster;
  readonly network: PeerNetwork;
  /** The data of the node that has a small disk, where one was asked for and can be had here. */
  readonly smallDisk: { readonly node: string; readonly disk: SmallDisk } | undefined;
  /** Also of nodes that are paused. */
  readonly stop: () => Promise<void>;
}

export interface ProxiedClusterOptions {
  readonly directory: string;
  readonly nodes: number;
  readonly basePort: number;
  readonly random: () => number;
  readonly report: (line: string) => void;
  /** Whether one node's data is to lie on a file system of its own. */
  readonly hasSmallDisk?: boolean;
  /** What each node's process is started with, besides. */
  readonly nodeArguments?: readonly string[];
}

/** The first node is 127.0.0.11. */
const firstAddress = 11;

/** Starts the nodes of a new cluster, each on a loopback address of its own, with a proxy before each peer port. */
export async function startProxiedCluster(options: ProxiedClusterOptions): Promise<ProxiedCluster> {
  const { directory, nodes, basePort, random, report } = options;
  const choice = { directory, nodes, basePort, plainHttp: false };
  const files = await openClusterFiles(choice);
  const network = await PeerNetwork.open(placesOf(files), random);
  writeFaultFiles(files, network);
  const smallDisk = options.hasSmallDisk === true ? smallDiskOf(files) : undefined;
  const nodeArguments = [
    '--import',
    new URL('./node-faults.ts', import.meta.url).href,
    ...(options.nodeArguments ?? []),
  ];
  const cluster = await DevCluster.start(choice, { report, nodeArguments }).catch(async (error: unknown) => {
    await network.close();
    smallDisk?.disk.unmount();
    throw error;
  });
  const resumeAll = (): void => {
    for (const node of cluster.nodes) node.process.resume();
  };
  const forget = atEnd(resumeAll);
  const stop = async (): Promise<void> => {
    resumeAll();
    await cluster.stop();
    await network.close();
    smallDisk?.disk.unmount();
    forget();
  };
  return { cluster, network, smallDisk, stop };
}

function smallDiskOf({ nodes }: ClusterFiles): ProxiedCluster['smallDisk'] {
  const [node] = nodes;
  const disk = node === undefined ? undefined : mountSmallDisk(join(dirname(node.configFile), 'data'));
  return node === undefined || disk === undefined ? undefined : { node: node.name, disk };
}

/** Where each node dials from and listens for its peers. */
export function placesOf(files: ClusterFiles): readonly Place[] {
  return files.nodes.map(({ name, peer }, at) => {
    const host = `127.0.0.${firstAddress + at}`;
    return { name, source: host, listens: { host, port: Number(peer.slice(peer.lastIndexOf(':') + 1)) } };
  });
}

/** Tells each node to listen on its own address, and that the others are to be dialled at their proxies. */
function writeFaultFiles(files: ClusterFiles, network: PeerNetwork): void {
  const places = placesOf(files);
  for (const { name, configFile } of files.nodes) {
    const config: Config = JSON.parse(readFileSync(configFile, 'utf8'));
    const place = places.find((one) => one.name === name);
    if (place === undefined) throw new Error(`${name} has no place`);
    const members = config.members.map((member) => ({ ...member, peer_address: network.addressOf(member.name) }));
    const peer = { ...config.peer, address: `${place.listens.host}:${place.listens.port}` };
    writeFileSync(configFile, JSON.stringify({ ...config, peer, members }, null, 2));
    writeFaultFile(configFile, soundFaultFile(place.source));
  }
}

interface Config {
  readonly peer: { readonly address: string };
  readonly members: readonly { readonly name: string; readonly peer_address: string }[];
}
