#!/usr/bin/env node
// `npx tensorgate` in a checkout: npm links no command of the package that it is run in.
import '../../bin/tensorgate.ts';
