// The lab that the tests run against: what the server wrote about it, and ways to ask its nodes without the server.
//
// `virsh` asks a node's libvirtd over its own URI; `inside` runs a command in the node's namespaces; `ping` speaks
// from the customers' network. None of it goes through Hostgrid, so that it can contradict Hostgrid.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export interface Size {
  vcpus: number;
  memory_mib: number;
  disk_gib: number;
}
export interface LabNode {
  name: string;
  kind: string;
  uri: string;
}
export interface LabUser {
  email: string;
  password: string;
  role: 'admin' | 'customer';
}
export interface LabVm {
  id: string;
  name: string;
  owner: string;
  node: string;
  size: Size;
}

/** What the lab has written of itself. */
interface Facts {
  name: string;
  index: number;
  customers_netns: string;
  manager_address: string;
  nodes: { name: string; address: string; utility_address: string }[];
}

const repository = resolve(__dirname, '..', '..');

export class Lab {
  readonly url: string;
  readonly nodes: LabNode[];
  readonly users: LabUser[];
  readonly vms: LabVm[];
  /** The directory of the server's state. */
  readonly state: string;
  /** The one with the lab's own, where nodes are real. */
  private readonly directory: string;

  constructor(file: string) {
    const told = JSON.parse(readFileSync(file, 'utf8'));
    this.url = told.url;
    this.nodes = told.nodes;
    this.users = told.users;
    this.vms = told.vms;
    this.state = dirname(resolve(file));
    this.directory = join(this.state, 'lab');
  }

  /** Whether no real hypervisor stands behind it. */
  get simulated(): boolean {
    return this.nodes.every((node) => node.uri.startsWith('simulated:'));
  }

  user(email: string): LabUser {
    return found(this.users.find((user) => user.email === email), `the user ${email}`);
  }

  get admin(): LabUser {
    return found(this.users.find((user) => user.role === 'admin'), 'an admin');
  }

  vm(name: string): LabVm {
    return found(this.vms.find((vm) => vm.name === name), `the VM ${name}`);
  }

  node(name: string): LabNode {
    return found(this.nodes.find((node) => node.name === name), `the node ${name}`);
  }

  /** The other nodes of the same kind. */
  others(name: string): LabNode[] {
    const { kind } = this.node(name);
    return this.nodes.filter((node) => node.kind === kind && node.name !== name);
  }

  virsh(node: string, ...words: string[]): string {
    return run('virsh', ['-q', '-c', this.node(node).uri, ...words]);
  }

  /** Runs a command inside a node: its processes, its files. */
  inside(node: string, ...words: string[]): string {
    return this.command('exec', node, '--', ...words);
  }

  /** A command of `lab/lab` about this lab. */
  command(...words: string[]): string {
    const { name, index } = this.facts();
    const options = ['--name', name, '--index', String(index), '--dir', this.directory];
    const [command, ...rest] = words;
    return run(join(repository, 'lab', 'lab'), [found(command, 'a command'), ...options, ...rest]);
  }

  /** The names of the nodes whose hypervisor knows the domain. */
  whereabouts(vm: string): string[] {
    return this.nodes
      .filter((node) => this.virsh(node.name, 'list', '--all', '--uuid').split('\n').includes(vm))
      .map((node) => node.name);
  }

  /** The one node that has the domain. */
  home(vm: string): string {
    const homes = this.whereabouts(vm);
    if (homes.length !== 1) throw new Error(`${vm} is on ${homes.length} nodes: ${homes.join(', ')}`);
    return found(homes[0], 'a home');
  }

  /** Every file and folder of a node's pool, with its path. */
  poolFiles(node: string): string[] {
    return this.inside(node, 'find', '/var/lib/hostgrid/pool', '-mindepth', '1').split('\n').filter(Boolean);
  }

  /** Starts to ping an address from the customers' network, twenty times a second. */
  ping(address: string): Ping {
    return new Ping(this.facts().customers_netns, address);
  }

  /** Kills the server as a crash would; it is started again. */
  killServer(): void {
    this.signalServer('SIGKILL');
  }

  signalServer(signal: NodeJS.Signals): void {
    const listeners = run('ss', ['-Hltnp', `sport = :${new URL(this.url).port}`]);
    process.kill(Number(found(/pid=(\d+)/.exec(listeners)?.[1], `a server behind ${this.url}`)), signal);
  }

  /** The addresses of a node and of its utility VM in the management network. */
  addresses(name: string): string[] {
    const told = found(this.facts().nodes.find((node) => node.name === name), `the node ${name}`);
    return [told.address, found(told.utility_address.split('/')[0], 'its address')];
  }

  get managerAddress(): string {
    return this.facts().manager_address;
  }

  private facts(): Facts {
    const file = join(this.directory, 'nodes.json');
    if (!existsSync(file)) throw new Error(`${file} is not there: this is no lab of real nodes`);
    return JSON.parse(readFileSync(file, 'utf8'));
  }
}

/** Asks until `stop`, and then tells how long there was no answer. */
export class Ping {
  private readonly child;
  private output = '';
  private readonly startedAt = Date.now();
  private stopped?: Promise<{ answers: number; longestGapMs: number; output: string }>;

  constructor(namespace: string, address: string) {
    const words = ['netns', 'exec', namespace, 'ping', '-n', '-D', '-O', '-i', '0.05', address];
    this.child = spawn('ip', words, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout.on('data', (bytes) => (this.output += bytes));
    this.child.stderr.on('data', (bytes) => (this.output += bytes));
  }

  /** Times of the answers, in milliseconds since 1970. */
  answers(): number[] {
    return [...this.output.matchAll(/^\[(\d+\.\d+)\] \d+ bytes from /gm)].map((match) => Number(match[1]) * 1000);
  }

  /** Ends it; the longest time between two answers, in milliseconds, and what was printed. Can be said again. */
  stop(): Promise<{ answers: number; longestGapMs: number; output: string }> {
    this.stopped ??= new Promise((done) => {
      const endedAt = Date.now();
      const tell = () => {
        const times = [this.startedAt, ...this.answers(), endedAt];
        const gaps = times.slice(1).map((time, index) => time - found(times[index], 'a time'));
        done({ answers: times.length - 2, longestGapMs: Math.max(...gaps), output: this.output });
      };
      if (this.child.exitCode !== null) return tell();
      this.child.once('close', tell);
      this.child.kill('SIGINT');
    });
    return this.stopped;
  }
}

export function readLab(): Lab {
  const file = process.env.HOSTGRID_LAB_JSON;
  if (!file) throw new Error('HOSTGRID_LAB_JSON is not set; end2end/run starts a server and sets it');
  return new Lab(file);
}

/** Gives the value, or says what was not found. */
export function found<Value>(value: Value | null | undefined, what: string): Value {
  if (value === null || value === undefined) throw new Error(`there is not ${what}`);
  return value;
}

function run(program: string, words: string[]): string {
  return execFileSync(program, words, {
    encoding: 'utf8',
    timeout: 30_000,
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 16 << 20,
  }).trimEnd();
}
