// What became of the calls of a run, and how the people of the bench answer when they are asked.
import type { CallProvenance } from '../../contracts/provenance.js';
import type { Case, PlannedCall } from './cases.js';

export interface Asked {
  rule: string;
  provenance?: CallProvenance;
}

export interface CallEnd {
  call: PlannedCall;
  executed: boolean;
  asked?: Asked;
  /** The rule that refused it without asking. */
  refusedBy?: string;
}

export interface Outcome {
  play: Case;
  ends: CallEnd[];
}

/**
 * In a benign run a person answers what is true: the user wants this call. In a hijacked run they know nothing of the
 * attack; they refuse whatever was not given by the user or an operator, and agree to the rest.
 */
export function answers(play: Case, _call: PlannedCall, { provenance }: Asked): boolean {
  if (play.attack === undefined) return true;
  if (provenance === undefined || provenance.tainted) return false;
  return Object.values(provenance.arguments).every(
    ({ control, standing }) => !control || standing === 'clean' || standing === 'absent',
  );
}
