// One Jest project; folders under test/ say what must be running (AGENTS.md). globalSetup starts one PostgreSQL
// cluster and one Temporal dev server for all of them.
module.exports = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  globalSetup: '<rootDir>/test/support/globalSetup.cjs',
  globalTeardown: '<rootDir>/test/support/globalTeardown.cjs',
  maxWorkers: 2,
  testTimeout: 120_000,
  transform: {
    '^.+\\.[tj]s$': [
      '@swc/jest',
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  // ESM-only packages that Jest must transform.
  transformIgnorePatterns: ['/node_modules/(?!(cookie|content-disposition|@marcbachmann/cel-js)/)'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1', '^longhaul$': '<rootDir>/index.ts' },
};
