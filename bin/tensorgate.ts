#!/usr/bin/env node
import '../disk/require-node.ts';
import { runCommandLine } from '../cli/main.ts';

process.exitCode = await runCommandLine(process.argv);
