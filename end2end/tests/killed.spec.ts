// The server is killed while an operation goes: the one that is started after it goes on with it, or undoes it.

import { heard } from '../story/guest';
import { found } from '../story/lab';
import { both, isBack, runsWhereItEnded, type Scene, slow, standStill } from '../story/scene';
import { expect, needsRealNodes, test } from '../story/test';

/** A page's stream breaks with its server. */
const brokenStream = /Failed to load resource|ERR_|network error|EventSource/i;

test('a server that is killed while VMs move, live and cold, goes on with both', async ({ admin, as, lab, allow }) => {
  needsRealNodes(lab);
  allow(brokenStream);
  const { live, cold, giveBack } = await both(admin, as, lab);
  try {
    const goOn: (() => void)[] = [];
    const operations = new Map<Scene, string>();
    try {
      goOn.push(standStill(lab, cold.destination));
      goOn.push(slow(live));
      for (const it of [live, cold]) operations.set(it, await it.owner.agree());
      await expect(live.owner.underWay('migrate-live')).toBeVisible();
      await expect(cold.owner.underWay('copy-disk')).toBeVisible();
      lab.killServer();
    } finally {
      for (const each of goOn) each();
    }
    await isBack(lab);
    for (const it of [live, cold]) {
      await it.owner.open(`/operations/${operations.get(it)}`);
      const outcome = await it.owner.outcome(150);
      await runsWhereItEnded(it, outcome.word);
      const kept = it === live ? { boot_id: it.before.boot_id } : {};
      await expect
        .poll(() => heard(lab, it.vm), { timeout: 60_000 })
        .toMatchObject({ data: it.before.data, mac: it.before.mac, ...kept });
    }
  } finally {
    await giveBack();
  }
});

test('a server that is killed while a VM is deployed, stopped, started, grown or deleted goes on with it', async ({ as, lab, allow }) => {
  needsRealNodes(lab);
  test.setTimeout(400_000);
  allow(brokenStream);
  const owner = await as(lab.vm('shop').owner);
  const machines = lab.nodes.filter(({ name }) => name.startsWith('qemu')).map(({ name }) => name);
  /** Its hypervisors stand still until the server is killed in the middle, and go on when it is back. */
  const killedIn = async (begin: () => Promise<void>) => {
    try {
      for (const node of machines) lab.command('hang', node);
      await begin();
      const operation = await owner.operationOpened();
      await expect(owner.page.getByRole('status').filter({ hasText: /Succeeded|Failed|Undone/ })).toHaveCount(0);
      lab.killServer();
      await isBack(lab);
      for (const node of machines) lab.command('unhang', node);
      await owner.open(`/operations/${operation}`);
    } finally {
      for (const node of machines) lab.command('unhang', node);
    }
    expect((await owner.outcome(150)).word, await owner.said()).toBe('Succeeded');
  };
  const press = (vm: string, name: 'Start' | 'Stop') => async () => {
    await owner.open(`/vms/${vm}`);
    await owner.button(name).click();
  };
  const name = `survivor-${test.info().retry}`;
  await killedIn(async () => {
    await owner.open('/vms/new');
    await owner.field('Name').fill(name);
    await owner.page.getByLabel('Image').selectOption('tiny');
    await owner.page.getByLabel('Offer').selectOption({ index: 0 });
    await owner.button('Deploy').click();
  });
  await owner.open('/vms');
  const link = owner.page.locator('main a[href^="/vms/"]', { hasText: name }).first();
  const vm = found(/[0-9a-f-]{36}/.exec((await link.getAttribute('href')) ?? ''), 'its id')[0];
  await expect.poll(() => heard(lab, vm)?.name, { timeout: 60_000 }).toBe(name);

  // In place or by a move, as there is room.
  const { memory_mib } = await owner.sizeOf(vm);
  const plan = await owner.preview(vm, { memory_mib: memory_mib + 128 });
  await killedIn(() => owner.button('Resize').click());
  await expect.poll(() => heard(lab, vm)?.memory_mib, { message: `grown by ${plan}`, timeout: 60_000 }).toBe(memory_mib + 128);

  const home = lab.home(vm);
  await killedIn(press(vm, 'Stop'));
  expect([lab.home(vm), lab.virsh(home, 'domstate', vm)]).toEqual([home, 'shut off']);
  await killedIn(press(vm, 'Start'));
  expect([lab.home(vm), lab.virsh(home, 'domstate', vm)]).toEqual([home, 'running']);
  await killedIn(async () => {
    await owner.open(`/vms/${vm}/delete`);
    await owner.button('Delete').click();
  });
  expect(lab.whereabouts(vm)).toEqual([]);
  expect(lab.poolFiles(home).filter((file) => file.includes(vm))).toEqual([]);
});
