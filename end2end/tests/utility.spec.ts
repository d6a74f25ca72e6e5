import { readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { found } from '../story/lab';
import { fillMemory } from '../story/room';
import { expect, needsRealNodes, test } from '../story/test';

test('the set of a utility VM that is destroyed goes stale, and it is brought back', async ({ admin, lab }) => {
  needsRealNodes(lab);
  for (const kind of ['qemu', 'lxc']) {
    const node = lab.nodes.filter((node) => node.name.startsWith(kind)).at(-1)?.name as string;
    const domains = lab.virsh(node, 'list', '--name').split('\n').map((line) => line.trim());
    const utility = domains.find((name) => name.includes('utility')) as string;
    expect(utility, `virsh list shows the utility VM among ${domains.join(', ')}`).toBeTruthy();

    const before = lab.virsh(node, 'domid', utility);
    const set = admin.page.locator('[data-set=utility]').first();
    await admin.open(`/admin/nodes/${node}`);
    await expect(set).toHaveAttribute('data-stale', 'false');
    // It is a machine or container of its own: neither this machine nor the node that it runs on.
    const said = await admin.page.locator('main').innerText();
    const [space] = found(/pid:\[\d+\]/.exec(said), 'its process namespace');
    const [boot] = found(/(?<=Boot id\s+(?:–\s+)?)[0-9a-f-]{36}/.exec(said), 'its boot id');
    expect(boot).not.toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
    expect([readlinkSync('/proc/self/ns/pid'), lab.inside(node, 'readlink', '/proc/self/ns/pid')]).not.toContain(space);
    lab.virsh(node, 'destroy', utility);
    // It is back within seconds, sooner than an open page hears of it; a container within one. So each look is a new one.
    if (kind === 'qemu') {
      const goesStale = async () => {
        const html = await (await admin.page.request.get(`/admin/nodes/${node}`)).text();
        return /data-set="utility"[^>]*data-stale="true"/.test(html) && /its utility VM doesn.{1,6}t run/.test(html);
      };
      await expect.poll(goesStale, { message: 'its set goes stale', timeout: 15_000, intervals: [100] }).toBe(true);
    }
    await expect
      .poll(() => lab.virsh(node, 'list', '--name', '--state-running'), { timeout: 90_000, intervals: [500] })
      .toContain(utility);
    expect(lab.virsh(node, 'domid', utility), 'it was started afresh').not.toBe(before);
    await expect(async () => {
      await admin.open(`/admin/nodes/${node}`);
      await expect(set).toHaveAttribute('data-stale', 'false', { timeout: 500 });
    }, 'its set is fresh').toPass({ timeout: 90_000, intervals: [1000] });
  }
});

test('while the utility modules of a kind are dead nothing is deployed there and nothing moves there cold', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  test.setTimeout(240_000);
  const { id: vm, owner: email } = lab.vm('catalogue');
  const owner = await as(email);
  const source = lab.home(vm);
  const nodes = [source, ...lab.others(source).map(({ name }) => name)];
  const size = await owner.sizeOf(vm);
  const larger = { memory_mib: size.memory_mib + 64 };
  const isStale = async (node: string, stale: boolean) => {
    const html = await (await admin.page.request.get(`/admin/nodes/${node}`)).text();
    return new RegExp(`data-set="utility"[^>]*data-stale="${stale}"`).test(html);
  };
  const giveBack = await fillMemory(admin, source);
  const name = `nobody-${test.info().retry}`;
  const still = test.info().outputPath('still');
  try {
    expect(await owner.preview(vm, larger)).toBe('move-cold');
    // Those that are brought back stand still too, before they have reported; for a minute at most.
    writeFileSync(still, '');
    const loop = `while [ -e ${still} ]; do pkill -STOP -f '^/proc/self/exe worker'; sleep 0.05; done`;
    for (const node of nodes) lab.inside(node, 'sh', '-c', `timeout 60 sh -c "${loop}" >/dev/null 2>&1 </dev/null &`);
    for (const node of nodes) {
      await expect.poll(() => isStale(node, true), { message: `${node} is stale`, timeout: 40_000, intervals: [250] }).toBe(true);
    }
    // The map is made anew with each sample of the hypervisor: a little later than the page that tells the age.
    const refused = async () => expect(await owner.preview(vm, larger)).toBe('refused');
    await expect(refused).toPass({ timeout: 6_000, intervals: [250] });
    await expect(owner.plan).toContainText(/utility|report/i);
    await owner.orderDeploy(name, 'tiny-container');
    await expect(owner.problem).toContainText(/utility|report/i);
    rmSync(still);
    // They are brought back by themselves, and then all of it goes.
    for (const node of nodes) {
      await expect.poll(() => isStale(node, false), { message: `${node} is fresh`, timeout: 90_000, intervals: [500] }).toBe(true);
    }
    await expect(async () => expect(await owner.preview(vm, larger)).toBe('move-cold')).toPass({ timeout: 30_000 });
  } finally {
    rmSync(still, { force: true });
    await giveBack();
  }
  expect(lab.home(vm)).toBe(source);
  const id = await owner.deploy(name, 'tiny-container');
  await owner.remove(id);
  expect((await owner.outcome()).word, await owner.said()).toBe('Succeeded');
});
