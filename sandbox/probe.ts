// Does the sandbox of this machine hold? Found out by trying to break out of it; where it does not, it is not offered.

/** `undecided`: this machine was too busy to tell; to be tried again. */
export type Probe = { holds: true } | { holds: false; reason: string; undecided?: true };

export const holds: Probe = { holds: true };
export const doesNotHold = (reason: string): Probe => ({ holds: false, reason });
export const undecided = (reason: string): Probe => ({ holds: false, reason, undecided: true });
