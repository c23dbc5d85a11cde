/** Runs every test under test/, which mirrors the tree. One process at a time would be slow, more than the cores worse. */
export default {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testEnvironment: '<rootDir>/test/environment.mjs',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/cdk.out/', '<rootDir>/.tensorgate/'],
  maxWorkers: 2,
  // Modules of finished tests stay in memory, and collecting them slows the later tests down.
  workerIdleMemoryLimit: '600MB',
  // Tests wait for conditions and not for times: this only ends a run that is stuck.
  testTimeout: 300_000,
  coverageProvider: 'v8',
  collectCoverageFrom: [
    'core/**/*.ts',
    // Types only: nothing of them exists at run time.
    '!core/batches/{batch-record,batch-store}.ts',
    '!core/files/{file-objects,upload}.ts',
    '!core/functions/permissions.ts',
    '!core/jobs/{inline-body,job-store,message-queue,notifier,open-invocations,payload-store}.ts',
    '!core/models/predictor.ts',
    '!core/protocols/container-message.ts',
    '!core/results/result-cache.ts',
    '!core/tasks/contract/{preprocessors,task,task-definition,task-route,text-tokenizer}.ts',
    'lambdas/**/*.ts',
    'lib/**/*.ts',
    'local/**/*.ts',
    'onnx/**/*.ts',
    'disk/**/*.ts',
    'cli/**/*.ts',
  ],
  coverageReporters: ['text-summary', 'json-summary', 'lcov'],
  coverageThreshold: { './core/': { lines: 99, branches: 95 }, global: { lines: 85 } },
};
