// What conditions see of a call: itself, where its arguments came from, and what the run is.
import type { ArgumentProvenance, ProvenanceSource, Standing } from '../../contracts/provenance.js';
import type { ToolDefinition, ToolLabel } from '../../contracts/tools.js';
import { argumentNames } from './argumentNames.js';
import type { PolicyFacts } from './compilePolicy.js';

export interface CallVariables extends Record<string, unknown> {
  call: { tainted: boolean; private: boolean; named: boolean };
}

export function callVariables(tool: ToolDefinition, args: unknown, facts: PolicyFacts): CallVariables {
  const { provenance, ...rest } = facts;
  const of = provenance?.arguments ?? {};
  const names = new Set([...argumentNames(tool.input), ...Object.keys(of)]);
  return {
    ...rest,
    tool: tool.name,
    effect: tool.effect,
    external: tool.external,
    arguments: args,
    provenance: Object.fromEntries([...names].map((name) => [name, shown(of[name])])),
    labels: provenance?.labels ?? [],
    call: {
      tainted: provenance?.tainted ?? false,
      private: provenance?.private ?? false,
      named: Object.values(of).every(({ control, standing }) => !control || NAMED.has(standing)),
    },
  };
}

const NAMED: ReadonlySet<Standing> = new Set(['absent', 'clean', 'resolved']);

function shown(argument: ArgumentProvenance | undefined): Record<string, unknown> {
  const { standing = 'absent', tainted = false, sources = [] } = argument ?? {};
  const labels = new Set<ToolLabel>(sources.flatMap((source) => source.labels));
  return {
    standing,
    tainted,
    private: argument?.private ?? false,
    sources: sources.map(sourceName),
    labels: [...labels],
  };
}

/** `user`, `operator`, `tool:search_emails`, `tool:search_emails.body`. */
export const sourceName = ({ kind, tool, field }: ProvenanceSource): string =>
  tool === undefined ? kind : `${kind}:${tool}${field === undefined ? '' : `.${field}`}`;
