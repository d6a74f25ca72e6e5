// The story on a simulated grid of its own, by the scripts that `make run` calls: begun, ended as by Ctrl-C, begun again.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect } from '@playwright/test';
import { found, Lab } from './lab';

const script = resolve(__dirname, '../../lab/run');

/** One simulated node, as the file of the grid has it. */
interface Machine {
  uri: string;
  domains: Record<string, { state: string; live: unknown; persistent: unknown }>;
}

export class SimulatedStory {
  readonly state = mkdtempSync('/var/tmp/hostgrid-simulated.');
  private child?: ChildProcess;
  private told?: Lab;

  /** `wanted`: what is asked for by `LAB`. `unprivileged`: as root of a user namespace, who can make no nodes. */
  constructor(
    private readonly port: number,
    private readonly wanted: 'real' | 'simulated' = 'simulated',
    private readonly unprivileged = false,
  ) {}

  get lab(): Lab {
    return found(this.told, 'a story that has begun');
  }

  /** All that it printed. */
  said(): string {
    return readFileSync(join(this.state, 'log'), 'utf8');
  }

  /** Until it has announced itself. */
  async begin(): Promise<void> {
    const out = openSync(join(this.state, 'log'), 'w');
    const words = [script, '--dir', join(this.state, 'lab')];
    if (this.unprivileged) words.unshift('unshare', '--user', '--map-root-user');
    const [program, ...rest] = words as [string, ...string[]];
    const begun = Date.now();
    const child = spawn(program, rest, {
      env: { ...process.env, LAB: this.wanted, PORT: String(this.port), STATE: this.state },
      stdio: ['ignore', out, out],
    });
    this.child = child;
    const file = join(this.state, 'simulated', 'lab.json');
    const ready = () => {
      if (child.exitCode !== null) throw new Error(`it ended:\n${this.said()}`);
      return existsSync(file) && statSync(file).mtimeMs > begun && this.said().includes('Hostgrid is ready');
    };
    await expect.poll(ready, { timeout: 60_000, intervals: [250] }).toBe(true);
    this.told = new Lab(file);
  }

  /** Ends it as Ctrl-C would; its state is kept. */
  async end(): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGTERM');
    await ended;
  }

  /** Changes the simulated nodes while nobody simulates them, and begins again. */
  async beginChanged(change: (node: (name: string) => Machine) => void): Promise<void> {
    await this.end();
    const file = join(this.state, 'simulated', 'data', 'simulated-grid.json');
    const machines: Machine[] = JSON.parse(readFileSync(file, 'utf8'));
    change((name) => found(machines.find(({ uri }) => uri.endsWith(name)), `the node ${name}`));
    writeFileSync(file, JSON.stringify(machines));
    await this.begin();
  }

  async forget(): Promise<void> {
    await this.end();
    rmSync(this.state, { recursive: true, force: true });
  }
}
