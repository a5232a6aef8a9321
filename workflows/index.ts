// The bundle's entry: workflow functions and nothing else.
export { agentRun } from './agentRun.js';
export { undoRun } from './undoRun.js';
