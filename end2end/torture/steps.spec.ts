// A server that dies at every step of a resize on real nodes, before and after what the step does and once that is recorded,
// in do and in undo; in the middle of a live move and of a copy. The one that is started after it goes on, or undoes it.
// Then hypervisors, pools and guests are asked, and `hostgrid check` for every promise.
//
//   HOSTGRID_TORTURE_STRIDE=N    only each Nth of them
//   HOSTGRID_TORTURE_ONLY=TEXT   only those whose orders have this text, such as {"die":[5,"after"]}

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configured, heard, heartbeat } from '../story/guest';
import { found, type Lab } from '../story/lab';
import { type Measure, writeMeasures } from '../story/measures';
import type { Panel, Plan } from '../story/panel';
import { promisesKept } from '../story/promises';
import { fillMemory } from '../story/room';
import { isBack } from '../story/scene';
import { expect, needsRealNodes, test } from '../story/test';

type Moment = 'before' | 'after' | 'recorded';
/** What `manager/src/operations/trial.rs` takes. */
interface Orders {
  fail?: [number, Moment];
  die?: [number, Moment];
  die_undo?: [number, Moment];
  die_within?: [number, number];
}

const moments: Moment[] = ['before', 'after', 'recorded'];
/** Each time it grows a little; before it would be too large to be moved live it shrinks again. */
const growth = { by: 32, atMost: 96 };
const measures: Measure[] = [];

/** Every death that there is for an operation of these steps. */
function everyDeath(steps: string[], noReturn: string): Orders[] {
  const turn = steps.indexOf(noReturn);
  const proven = steps.indexOf('verify');
  const positions = [...steps.keys()];
  const slow = positions.filter((at) => ['migrate-live', 'copy-disk'].includes(steps[at] ?? ''));
  const undone = (fail: [number, Moment], among: number[]): Orders[] =>
    among.flatMap((at) => moments.map((moment) => ({ fail, die_undo: [at, moment] }) as Orders));
  return [
    ...positions.flatMap((at) => moments.map((moment) => ({ die: [at, moment] }) as Orders)),
    ...slow.flatMap((at) => [20, 100, 300, 700, 1500].map((ms) => ({ die_within: [at, ms] }) as Orders)),
    ...undone([turn, 'before'], positions.slice(0, turn + 1)),
    ...undone([proven, 'after'], positions.slice(turn + 1, proven + 1)),
  ];
}

class Torture {
  private filled?: { node: string; giveBack: () => Promise<void> };
  private readonly file: string;

  constructor(
    private readonly lab: Lab,
    private readonly admin: Panel,
    private readonly owner: Panel,
    private readonly vm: string,
    private readonly plan: Plan,
    private readonly base: number,
  ) {
    this.file = join(lab.state, 'trial.json');
  }

  /** Its steps, as one that goes well shows them. */
  async steps(): Promise<string[]> {
    await this.ask(await this.prepare());
    await this.owner.agree();
    expect((await this.owner.outcome(150)).word, await this.owner.said()).toBe('Succeeded');
    const steps = this.owner.page.locator('[data-step]');
    return steps.evaluateAll((found) => found.map((step) => step.getAttribute('data-step') ?? ''));
  }

  /** One death, if it comes to it, and what became of the operation. */
  async trial(orders: Orders): Promise<{ met: boolean; word: string }> {
    const memory_mib = await this.prepare();
    const before = { ...heartbeat(this.lab, this.vm), memory_mib };
    const home = this.lab.home(this.vm);
    const known = await this.operations();
    await this.ask(memory_mib);
    writeFileSync(this.file, JSON.stringify(orders));
    try {
      // The answer may be lost with the server.
      await Promise.race([this.owner.agree().catch(() => {}), this.died()]);
      const over = this.owner.outcome(200).catch(() => {});
      await Promise.race([over, this.died()]);
    } finally {
      await isBack(this.lab);
    }
    const met = !existsSync(this.file);
    await this.owner.open(`/operations/${await this.newest(known)}`);
    const { word } = await this.owner.outcome(200);
    rmSync(this.file, { force: true });
    await this.verify(before, home, word, orders);
    return { met, word };
  }

  /** Leaves no room beside it, and so little of it that it can grow; the memory that it has. */
  private async prepare(): Promise<number> {
    const home = this.lab.home(this.vm);
    if (this.filled?.node !== home) {
      await this.filled?.giveBack();
      this.filled = { node: home, giveBack: await fillMemory(this.admin, home) };
    }
    const { memory_mib } = await this.owner.sizeOf(this.vm);
    if (memory_mib < this.base + growth.atMost) return memory_mib;
    await this.owner.resize(this.vm, { memory_mib: this.base });
    return this.base;
  }

  /** Has the plan on its page, about to be agreed to. */
  private async ask(memory_mib: number): Promise<void> {
    // Nodes are heard anew by a server that was just started.
    await expect(async () => {
      expect(await this.owner.preview(this.vm, { memory_mib: memory_mib + growth.by })).toBe(this.plan);
    }).toPass({ timeout: 60_000, intervals: [500] });
  }

  private async died(): Promise<void> {
    while (existsSync(this.file)) await new Promise((done) => setTimeout(done, 50));
  }

  private operations(): Promise<Set<string>> {
    return this.owner.operationsOf(this.vm);
  }

  private async newest(known: Set<string>): Promise<string> {
    let fresh: string[] = [];
    await expect(async () => {
      fresh = [...(await this.operations())].filter((link) => !known.has(link));
      expect(fresh, 'the operation that was asked for').toHaveLength(1);
    }).toPass({ timeout: 30_000 });
    return found(/[0-9a-f-]{36}/.exec(found(fresh[0], 'it')), 'its id')[0];
  }

  private async verify(before: ReturnType<typeof heartbeat>, was: string, word: string, orders: Orders): Promise<void> {
    const { lab, vm } = this;
    const other = found(lab.others(was)[0], 'another node').name;
    // A failure that was ordered ends it otherwise; a death alone loses nothing that goes on by itself.
    if (orders.fail === undefined) expect(['Succeeded', 'Undone']).toContain(word);
    const [home, left] = word === 'Undone' ? [was, other] : [other, was];
    await expect.poll(() => lab.whereabouts(vm), { timeout: 60_000 }).toEqual([home]);
    expect(lab.virsh(home, 'domstate', vm)).toBe('running');
    const files = () => lab.poolFiles(left).filter((file) => file.includes(vm));
    await expect.poll(files, { message: `what ${left} still has`, timeout: 60_000 }).toEqual([]);

    const size = await this.owner.sizeOf(vm);
    if (word !== 'Failed') expect(size.memory_mib).toBe(before.memory_mib + (word === 'Undone' ? 0 : growth.by));
    for (const which of ['live', 'inactive'] as const) {
      expect(configured(lab, home, vm, which), which).toEqual({ vcpus: size.vcpus, memory_mib: size.memory_mib });
    }
    // A live move never restarts a guest, whoever dies.
    const kept = this.plan === 'move-live' ? { boot_id: before.boot_id } : {};
    await expect
      .poll(() => heard(lab, vm), { timeout: 60_000 })
      .toMatchObject({ data: before.data, mac: before.mac, memory_mib: size.memory_mib, ...kept });
    const seq = heard(lab, vm)?.seq;
    await expect.poll(() => heard(lab, vm)?.seq, { message: 'its heart beats' }).not.toBe(seq);
    await promisesKept(lab);
  }

  async giveBack(): Promise<void> {
    rmSync(this.file, { force: true });
    await this.filled?.giveBack();
  }
}

for (const [plan, name, noReturn] of [['move-live', 'shop', 'migrate-live'], ['move-cold', 'catalogue', 'start']] as const) {
  test(`${plan}: a server that dies at every step`, async ({ admin, as, lab, allow }) => {
    needsRealNodes(lab);
    test.setTimeout(3 * 60 * 60_000);
    // A page's stream breaks with its server.
    allow(/Failed to load resource|ERR_|network error|EventSource|Failed to fetch/i);
    const { id, owner: email } = lab.vm(name);
    const owner = await as(email);
    const torture = new Torture(lab, admin, owner, id, plan, (await owner.sizeOf(id)).memory_mib);
    const ends = new Map<string, number>();
    let met = 0;
    let tried = 0;
    try {
      const steps = await torture.steps();
      const only = process.env.HOSTGRID_TORTURE_ONLY ?? '';
      const chosen = everyDeath(steps, noReturn).filter((orders) => JSON.stringify(orders).includes(only));
      const stride = Number(process.env.HOSTGRID_TORTURE_STRIDE ?? 1);
      console.log(`  ${plan}: ${steps.join(', ')}`);
      for (const orders of chosen.filter((_, number) => number % stride === 0)) {
        const began = Date.now();
        await test.step(JSON.stringify(orders), async () => {
          const told = await torture.trial(orders);
          tried += 1;
          if (told.met) met += 1;
          ends.set(told.word, (ends.get(told.word) ?? 0) + 1);
          const seconds = ((Date.now() - began) / 1000).toFixed(1);
          console.log(`  ${JSON.stringify(orders)} ${told.met ? 'died' : 'did not come to it'}: ${told.word}, ${seconds} s`);
        });
      }
    } finally {
      await torture.giveBack();
    }
    console.log(`  ${plan}: ${tried} tried, ${met} deaths met; ${[...ends].map(([word, count]) => `${count} ${word}`).join(', ')}`);
    const count = (measure: string, value: number, aim: number | null, better: Measure['better']) =>
      measures.push({ measure: `${measure}/${plan}`, value, unit: 'count', aim, better });
    count('schedules_tried', tried, null, 'higher');
    count('faults_tried', met, null, 'higher');
    // The first that is broken ends it all.
    count('promises_broken', 0, 0, 'lower');
    writeMeasures('torture-libvirt', measures);
  });
}
