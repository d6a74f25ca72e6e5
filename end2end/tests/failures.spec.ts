// A move that is hit in the middle: by a pool that fills, a libvirtd that hangs, a node that dies, a server that is
// killed. Each ends with its reason, and the VM runs once, where the last page says.

import { heard, heartbeat } from '../story/guest';
import { found, type Lab } from '../story/lab';
import type { Panel } from '../story/panel';
import { fillMemory } from '../story/room';
import { expect, needsRealNodes, test } from '../story/test';

interface Scene {
  lab: Lab;
  owner: Panel;
  vm: string;
  source: string;
  destination: string;
}

/** A VM whose growth needs another node, with its plan on the page, about to be agreed to. */
async function scene(name: string, admin: Panel, as: (email: string) => Promise<Panel>, lab: Lab) {
  const { id: vm, owner: email } = lab.vm(name);
  const owner = await as(email);
  const source = lab.home(vm);
  const destination = found(lab.others(source)[0], 'another node of its kind').name;
  const size = await owner.sizeOf(vm);
  const before = heartbeat(lab, vm);
  const giveBack = await fillMemory(admin, source);
  const plan = await owner.preview(vm, { memory_mib: size.memory_mib + 128 });
  return { lab, owner, vm, source, destination, before, giveBack, plan };
}

/** Nothing was lost: it runs at its source, unchanged, and the other node has nothing of it. */
async function runsWhereItWas({ lab, vm, source, destination }: Scene): Promise<void> {
  await expect.poll(() => lab.whereabouts(vm), { timeout: 60_000 }).toEqual([source]);
  await expect.poll(() => lab.virsh(source, 'domstate', vm), { timeout: 60_000 }).toBe('running');
  expect(lab.poolFiles(source).some((file) => file.includes(vm))).toBe(true);
  await expect
    .poll(() => lab.poolFiles(destination).filter((file) => file.includes(vm)), { timeout: 60_000 })
    .toEqual([]);
}

async function ready(admin: Panel, node: string): Promise<void> {
  await expect(async () => {
    await admin.open(`/admin/nodes/${node}`);
    await expect(admin.page.locator('h1')).toContainText(/ready/i, { timeout: 500 });
  }).toPass({ timeout: 90_000, intervals: [1000] });
}

test('a pool that fills while a disk is carried there: undone, with the reason', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  const it = await scene('catalogue', admin, as, lab);
  const filler = '/var/lib/hostgrid/pool/filler';
  try {
    expect(it.plan).toBe('move-cold');
    await it.owner.agree();
    // The room was there when it was agreed to; now something else takes it.
    const most = `$(($(df --output=avail -B 1 /var/lib/hostgrid/pool | tail -n 1) - 16777216))`;
    const rest = `dd if=/dev/zero of=${filler}-rest bs=64k || true`;
    lab.inside(it.destination, 'sh', '-c', `fallocate -l ${most} ${filler}; (${rest}) 2>/dev/null`);
    const outcome = await it.owner.outcome(150);
    expect(outcome.word, await it.owner.said()).toBe('Undone');
    expect(await it.owner.said()).toMatch(/pool|space|room|full/i);
  } finally {
    lab.inside(it.destination, 'rm', '-f', filler, `${filler}-rest`);
    await it.giveBack();
  }
  await runsWhereItWas(it);
  await expect.poll(() => heard(lab, it.vm)?.data, { timeout: 60_000 }).toBe(it.before.data);
});

test('a libvirtd that hangs while a VM moves there: it ends with the reason', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  const it = await scene('shop', admin, as, lab);
  try {
    expect(it.plan).toBe('move-live');
    lab.command('hang', it.destination);
    await it.owner.agree();
    const outcome = await it.owner.outcome(170);
    expect(outcome.word, await it.owner.said()).not.toBe('Succeeded');
    await expect(it.owner.page.locator('.outcome-reason').first()).toContainText(/hypervisor|node|answer/i);
    expect(lab.virsh(it.source, 'domstate', it.vm)).toBe('running');
  } finally {
    lab.command('unhang', it.destination);
    await it.giveBack();
  }
  await ready(admin, it.destination);
  await runsWhereItWas(it);
  await expect.poll(() => heard(lab, it.vm)?.boot_id, { timeout: 30_000 }).toBe(it.before.boot_id);
});

test('a node that dies while a VM moves there: it ends with the reason', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  // What was made on the dead node is looked for, for minutes, before it is left there.
  test.setTimeout(400_000);
  const it = await scene('shop', admin, as, lab);
  try {
    expect(it.plan).toBe('move-live');
    await it.owner.agree();
    lab.command('kill', it.destination);
    const outcome = await it.owner.outcome(300);
    expect(outcome.word, await it.owner.said()).not.toBe('Succeeded');
    await expect(it.owner.page.locator('.outcome-reason').first()).toContainText(/hypervisor|node|answer/i);
    expect(lab.virsh(it.source, 'domstate', it.vm)).toBe('running');
  } finally {
    lab.command('start', it.destination);
    await it.giveBack();
  }
  await ready(admin, it.destination);
  await runsWhereItWas(it);
  await expect.poll(() => heard(lab, it.vm)?.boot_id, { timeout: 30_000 }).toBe(it.before.boot_id);
});

for (const [name, plan] of [
  ['shop', 'move-live'],
  ['catalogue', 'move-cold'],
] as const) {
  test(`a server that is killed during a ${plan} goes on with it`, async ({ admin, as, lab, allow }) => {
    needsRealNodes(lab);
    // The page's stream breaks with its server.
    allow(/Failed to load resource|ERR_|network error|EventSource/i);
    const it = await scene(name, admin, as, lab);
    try {
      expect(it.plan).toBe(plan);
      const operation = await it.owner.agree();
      lab.killServer();
      await expect(async () => {
        expect((await fetch(new URL('/readyz', lab.url))).status).toBe(200);
      }).toPass({ timeout: 60_000, intervals: [300] });
      await it.owner.open(`/operations/${operation}`);
      const outcome = await it.owner.outcome(150);
      const home = outcome.word === 'Succeeded' ? it.destination : it.source;
      const other = outcome.word === 'Succeeded' ? it.source : it.destination;
      await expect.poll(() => lab.whereabouts(it.vm), { timeout: 30_000 }).toEqual([home]);
      await expect.poll(() => lab.virsh(home, 'domstate', it.vm), { timeout: 30_000 }).toBe('running');
      await expect
        .poll(() => lab.poolFiles(other).filter((file) => file.includes(it.vm)), { timeout: 30_000 })
        .toEqual([]);
      const kept = plan === 'move-live' ? { boot_id: it.before.boot_id } : {};
      await expect
        .poll(() => heard(lab, it.vm), { timeout: 60_000 })
        .toMatchObject({ data: it.before.data, mac: it.before.mac, ...kept });
    } finally {
      await it.giveBack();
    }
  });
}
