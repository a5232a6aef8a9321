// Loaded into a process before everything else (NODE_OPTIONS=--require): its clock is off by the milliseconds that the
// file LONGHAUL_TEST_CLOCK holds. As with a clock that is set, timers and the monotonic clock go on as before.
const { readFileSync } = require('node:fs');

const file = process.env.LONGHAUL_TEST_CLOCK;
const RealDate = Date;
const now = () => RealDate.now() + Number(readFileSync(file, 'utf8'));

globalThis.Date = class Date extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(now());
    else super(...args);
  }
  static now() {
    return now();
  }
};
