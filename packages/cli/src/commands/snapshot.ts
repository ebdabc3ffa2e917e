import { createReadStream } from 'node:fs';
import { access, type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { JsonObject } from '@lockstep/client/client';
import type { Command } from 'commander';
import type { Api } from '../api.ts';
import { command, type Connect } from '../command.ts';
import { exitRemote, Failure, localFailure } from '../failure.ts';
import { json, type Row, rowsOf, table } from '../output.ts';
import { type Format, type GlobalOptions, readFormat } from '../settings.ts';
import type { Terminal } from '../terminal.ts';

const route = 'sys/storage/raft/snapshot';

/** `snapshot`: the whole state of a cluster, sealed, in one file. */
export function snapshotCommand(connect: Connect, terminal: Terminal): Command {
  const made = command('snapshot', "a cluster's whole state in one sealed file", [
    'lockstep snapshot save backup.snapshot',
    'lockstep snapshot inspect backup.snapshot',
    'lockstep snapshot restore backup.snapshot',
  ]);
  return made.addCommand(save(connect)).addCommand(inspect(terminal)).addCommand(restore(connect));
}

function save(connect: Connect): Command {
  return command('save', 'save the state as of now, and check every byte of what was written', [
    'lockstep snapshot save backup.snapshot',
  ])
    .argument('<file>', 'a file that is not there yet')
    .action(async (file: string, _options: object, self: Command) => {
      const { api, format, terminal } = connect(self);
      if (await isThere(file))
        throw localFailure(`${file} is there already`, 'A backup is not overwritten: name another.');
      const partial = `${file}.part`;
      const target = await openNew(partial);
      try {
        await writeSynced(target, (take) => api.download(route, take));
        const described = await describe(partial, exitRemote);
        await rename(partial, file);
        await syncFolder(dirname(file));
        printSnapshot(terminal, described, format);
      } catch (fault) {
        await rm(partial, { force: true });
        throw fault;
      }
    });
}

function inspect(terminal: Terminal): Command {
  return command('inspect', 'tell what a file holds and check every checksum; asks no node', [
    'lockstep snapshot inspect backup.snapshot',
    'lockstep snapshot inspect -format=json backup.snapshot',
  ])
    .argument('<file>', 'what snapshot save wrote')
    .action(async (file: string, _options: object, self: Command) => {
      const options: GlobalOptions = self.optsWithGlobals();
      printSnapshot(terminal, await describe(file, 1), readFormat(options, terminal));
    });
}

function restore(connect: Connect): Command {
  return command('restore', 'replace the state of the whole cluster by what a file holds', [
    'lockstep snapshot restore backup.snapshot',
    'lockstep snapshot restore -force old-cluster.snapshot',
  ])
    .argument('<file>', 'what snapshot save wrote')
    .option(
      '--force',
      "take another cluster's file, or one that this cluster's keys don't open any more; then the nodes are sealed, and the file's unseal keys are theirs",
    )
    .action(async (file: string, options: { readonly force?: boolean }, self: Command) => {
      const { api, format, terminal } = connect(self);
      // A file that is no snapshot need not be sent.
      const { file_bytes: bytes } = await describe(file, 1);
      const leader = await leaderOf(api);
      const to = options.force === true ? `${route}-force` : route;
      const answer = await leader.upload(to, { bytes: Number(bytes), data: createReadStream(file) });
      const restored = answer.data ?? {};
      if (format === 'json') terminal.print(json(restored));
      else terminal.print(`${table(rowsOf(restored))}${restored['sealed'] === true ? sealedHint : ''}`);
    });
}

const sealedHint = `
Every node is sealed now. Unseal each with the keys of the cluster that the file was saved from: lockstep unseal.
`;

/** A restore is the leader's to order. Where no leader is known, the node that was asked says so. */
async function leaderOf(api: Api): Promise<Api> {
  const { data = {} } = await api.call('read', 'sys/leader');
  const address = data['leader_address'];
  return data['is_self'] === true || typeof address !== 'string' || address === '' ? api : api.at(address);
}

/** The file's own words, under the names that are printed. */
async function describe(file: string, exitCode: number): Promise<JsonObject> {
  const { inspectSaved } = await import('@lockstep/server/saved/inspect-saved');
  try {
    const found = await inspectSaved(file);
    return {
      file_sha256: found.fileId,
      file_bytes: found.fileBytes,
      cluster_id: found.clusterId,
      index: found.index,
      term: found.term,
      log_time: new Date(found.logTimeMs).toISOString(),
      saved_time: new Date(found.savedMs).toISOString(),
      saved_by: found.node,
      version: found.program,
      fact_version: found.factVersion,
      records: found.records,
      state_bytes: found.bytes,
      snapshot_id: found.snapshotId,
      seal_type: found.sealKind,
      unseal_shares: found.unsealShares,
      unseal_threshold: found.unsealThreshold,
    };
  } catch (fault) {
    if (!(fault instanceof Error)) throw fault;
    throw new Failure(exitCode, `${file} can't be used: ${fault.message}`);
  }
}

function printSnapshot(terminal: Terminal, inspected: JsonObject, format: Format): void {
  const rows: readonly Row[] = [...Object.entries(inspected), ['checksums', 'all hold']];
  terminal.print(format === 'json' ? json(inspected) : table(rows));
}

async function isThere(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  );
}

/** Makes what is written durable, and closes the file. */
async function writeSynced(
  target: FileHandle,
  fill: (take: (data: Uint8Array) => Promise<void>) => Promise<unknown>,
): Promise<void> {
  try {
    await fill(async (data) => {
      for (let at = 0; at < data.length; ) at += (await target.write(data, at)).bytesWritten;
    });
    await target.sync();
  } finally {
    await target.close();
  }
}

/** A file that is not there yet, readable by its owner alone. */
async function openNew(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'wx', 0o600);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    throw localFailure(`cannot write the file ${file} (${code})`);
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
