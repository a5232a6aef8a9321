// Does the sandbox of this machine hold? Found out by trying to break out of it; where it does not, it is not offered.

export type Probe = { holds: true } | { holds: false; reason: string };

export const holds: Probe = { holds: true };
export const doesNotHold = (reason: string): Probe => ({ holds: false, reason });
