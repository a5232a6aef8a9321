// A part of the benchmark: something measured on the stage, with a result that is kept as JSON.
import type { Settings } from '../settings.js';
import type { Stage } from '../stage.js';

export interface Part<Result> {
  what: string;
  /** Only when it is asked for by name. */
  onRequest?: boolean;
  measure(stage: Stage, settings: Settings, say: (text: string) => void): Promise<Result>;
}
