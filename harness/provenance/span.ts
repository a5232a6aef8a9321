// A piece of what the model has before it, with its source and labels.
import type { ProvenanceSource } from '../../contracts/provenance.js';
import type { ToolLabel } from '../../contracts/tools.js';

/** `named`: operator, user, a person. `reported`: trusted results, value by value. `outside`: anybody may have written it. */
export type Trust = 'named' | 'reported' | 'outside';

export interface Span {
  source: ProvenanceSource;
  text: string;
  /** Nothing else stands in the field: the text may be taken for one value. */
  whole: boolean;
  /** The result of a call about something clean: the user named one thing, and this is what the system knows of it. */
  resolved?: boolean;
}

export function trustOf({ kind, labels }: ProvenanceSource): Trust {
  if (kind === 'operator' || kind === 'user' || kind === 'person')
    return labels.includes('untrusted') ? 'outside' : 'named';
  return labels.includes('trusted') && !labels.includes('untrusted') ? 'reported' : 'outside';
}

export const isPrivate = (labels: readonly ToolLabel[]): boolean => labels.includes('private');
