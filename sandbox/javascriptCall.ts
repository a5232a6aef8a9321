// What passes between the worker and the thread that runs a model's JavaScript. Plain data only.
import type { JavascriptLimits } from '../contracts/sandboxLimits.js';

export interface JavascriptCall {
  code: string;
  /** JSON; the code sees it as `input`. */
  input: string;
  limits: JavascriptLimits;
}

export type JavascriptResult =
  /** `json` is undefined when the code gave nothing that has a JSON form. */
  | { ended: 'returned'; json?: string; console: string }
  | { ended: 'threw'; error: string; console: string }
  | { ended: 'timeout' | 'memory' | 'recursion'; console: string }
  /** The thread was ended: the call was stopped, or it broke. */
  | { ended: 'stopped' | 'broken'; console: string };
