import type { Command } from 'commander';
import { readSource } from '../api.ts';
import { command, type Connect } from '../command.ts';
import { json, printAnswer, printKeys } from '../output.ts';

/** `policy`: who may do what. */
export function policyCommand(connect: Connect): Command {
  const write = command('write', 'create or replace a policy', [
    'lockstep policy write web web.hcl',
    'cat web.hcl | lockstep policy write web -',
  ])
    .argument('<name>')
    .argument('<file>', 'HCL or JSON; - reads stdin')
    .action(async (name: string, file: string, _options: object, self: Command) => {
      const { api, format, terminal } = connect(self);
      const policy = await readSource(file, terminal.readStdin);
      const answer = await api.call('write', `sys/policies/acl/${name}`, { policy });
      printAnswer(terminal, answer, { format, done: `Success! Uploaded policy: ${name}` });
    });
  const read = command('read', 'print a policy', ['lockstep policy read web'])
    .argument('<name>')
    .action(async (name: string, _options: object, self: Command) => {
      const { api, format, terminal } = connect(self);
      const answer = await api.call('read', `sys/policies/acl/${name}`);
      const policy = answer.data?.['policy'];
      if (format === 'json' || typeof policy !== 'string') terminal.print(json(answer.body));
      else terminal.print(policy.endsWith('\n') ? policy : `${policy}\n`);
    });
  const list = command('list', 'list policies', []).action(async (_options: object, self: Command) => {
    const { api, format, terminal } = connect(self);
    printKeys(terminal, await api.call('list', 'sys/policies/acl'), format);
  });
  const remove = command('delete', 'delete a policy', ['lockstep policy delete web'])
    .argument('<name>')
    .action(async (name: string, _options: object, self: Command) => {
      const { api, format, terminal } = connect(self);
      const answer = await api.call('delete', `sys/policies/acl/${name}`);
      printAnswer(terminal, answer, { format, done: `Success! Deleted policy: ${name}` });
    });
  return command('policy', 'policies: who may do what', [
    'lockstep policy write web web.hcl',
    'lockstep token create -policy=web',
  ])
    .addCommand(write)
    .addCommand(read)
    .addCommand(list)
    .addCommand(remove);
}
