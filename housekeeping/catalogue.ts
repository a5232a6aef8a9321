// Every sweep there is: what it does, in words for people, and how often, in milliseconds.

const MINUTE = 60_000;

/** Promised in docs/operations.md. */
export const KEY_RETENTION_DAYS = 30;
export const UNKNOWN_FOLDER_DAYS = 7;

export const catalogue = {
  'runs-without-workflow': {
    what: 'starts the workflow of runs that were stored and have none',
    everyMs: 2000,
  },
  'undos-without-workflow': {
    what: 'starts the workflow of undos that were approved and are not finished',
    everyMs: 5000,
  },
  'lost-cancellations': {
    what: 'cancels workflows that did not hear that their run was cancelled',
    everyMs: 10_000,
  },
  'terminated-workflows': {
    what: 'stops runs whose workflow was terminated, timed out or failed; they can be resumed',
    everyMs: 10_000,
  },
  'runs-with-lost-workflow': {
    what: 'compares all open runs with Temporal and stops those whose workflow is gone; they can be resumed',
    everyMs: 5 * MINUTE,
  },
  'workflows-without-run': {
    what: 'terminates workflows that this database started and whose run it does not have any more',
    everyMs: 5 * MINUTE,
  },
  checkpoints: {
    what: 'signs the heads of the event chains: runs that ended, every minute open ones, every hour all (docs/audit.md)',
    everyMs: 5000,
  },
  'dead-workers': {
    what: 'removes the rows of workers that ended more than a day ago',
    everyMs: 10 * MINUTE,
  },
  'idempotency-keys': {
    what: `forgets idempotency keys after ${KEY_RETENTION_DAYS} days; the same key then starts a new run`,
    everyMs: 60 * MINUTE,
  },
  'orphaned-workspaces': {
    what: `removes the folders of erased runs, and those of unknown runs after ${UNKNOWN_FOLDER_DAYS} days`,
    everyMs: 5 * MINUTE,
  },
} as const;

export type SweepName = keyof typeof catalogue;
