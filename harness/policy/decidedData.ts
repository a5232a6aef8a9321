// What the event of a decided call keeps of the reasons: ids and verdicts. Names that a model or a tool's answer made up
// may be content, which events never carry; they stand with the call and go when it is erased.
import type { ArgumentProvenance } from '../../contracts/provenance.js';
import { argumentNames } from './argumentNames.js';
import type { JudgedCall } from './judgeToolCalls.js';

export function decidedData({ decision, tool }: JudgedCall): Record<string, unknown> {
  if (decision === undefined || tool === undefined) return {};
  const { rules, provenance } = decision;
  const declared = new Set(argumentNames(tool.input));
  const given = Object.entries(provenance?.arguments ?? {}).filter(
    ([name, { standing }]) => declared.has(name) && standing !== 'absent',
  );
  return {
    rules: rules.map(({ id, effect, failed }) => ({ id, effect, ...(failed ? { failed } : {}) })),
    ...(provenance === undefined
      ? {}
      : {
          provenance: {
            tainted: provenance.tainted,
            private: provenance.private,
            labels: provenance.labels,
            arguments: Object.fromEntries(given.map(([name, argument]) => [name, kept(argument)])),
          },
        }),
  };
}

const kept = ({ standing, control, tainted, sources, links, passages }: ArgumentProvenance) => ({
  standing,
  ...(control ? { control } : {}),
  ...(tainted ? { tainted } : {}),
  ...(sources.length === 0
    ? {}
    : {
        sources: sources.map(({ kind, tool, step, toolCallId }) => ({
          kind,
          ...(tool === undefined ? {} : { tool }),
          ...(step === undefined ? {} : { step }),
          ...(toolCallId === undefined ? {} : { toolCallId }),
        })),
      }),
  ...(links === undefined ? {} : { links }),
  ...(passages === undefined ? {} : { passages }),
});
