// The built-in rules, on unless an agent switches them off. Written like anybody's rules, so they can be read, tested
// and explained like them.
import type { RuleEffect } from '../../contracts/policy.js';

export interface DefaultRule {
  id: string;
  effect: RuleEffect;
  when: string;
  reason: string;
}

// Whatever the model picks there harms nobody: paths in the run's own folder; of addresses that the operator has allowed
// one by one, reading any.
const FENCED = 'tool in ["workspace_write", "workspace_edit"] || (tool == "http_request" && effect == "read")';

export const DEFAULT_RULES: readonly DefaultRule[] = [
  { id: 'default/reads', effect: 'allow', when: 'effect == "read"', reason: 'it only reads' },
  {
    id: 'default/writes',
    effect: 'allow',
    when: 'effect in ["idempotent", "reconcilable"] && !external',
    reason: 'it can be repeated or checked, and stays within the organisation',
  },
  {
    id: 'default/tainted',
    effect: 'ask',
    when: `call.tainted && (effect != "read" || external) && !(${FENCED})`,
    reason: 'a value that steers it, a link or a copied passage was not given by the user or a trusted source',
  },
  {
    id: 'default/irreversible',
    effect: 'ask',
    when: 'effect != "read" && (external || effect == "irreversible") && !call.allowed',
    reason: 'it cannot be undone or leaves the organisation, and no allow rule names it',
  },
  {
    id: 'default/private-in-view',
    effect: 'ask',
    when: 'external && effect != "read" && "private" in labels && "untrusted" in labels',
    reason: 'it leaves the organisation while private data and texts of outsiders are both in view',
  },
  {
    id: 'default/private-out',
    effect: 'deny',
    when: 'external && call.private',
    reason: 'it would carry private data out of the organisation',
  },
];

/** Rules that ask about the very values of a call: a yes to all calls like it does not cover these. */
export const ASKED_EACH_TIME: ReadonlySet<string> = new Set(['default/tainted']);
