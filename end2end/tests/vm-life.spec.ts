import { heard, heartbeat } from '../story/guest';
import { expect, test } from '../story/test';

for (const [image, kind] of [
  ['tiny', 'machine'],
  ['tiny-container', 'container'],
] as const) {
  test(`a ${kind} is deployed, stopped, started and deleted`, async ({ as, lab }) => {
    const owner = await as(lab.vm('shop').owner);
    const name = `trial-${kind}`;
    const key = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7UjJ7E8b0mQp3bV1k0b0d7p1n6m5l4k3j2h1g0f9e8 ${name}`;
    const id = await owner.deploy(name, image, key);
    await owner.open(`/vms/${id}`);
    await expect(owner.page.locator('main')).toContainText('Running');
    if (!lab.simulated) {
      await expect.poll(() => heard(lab, id)?.name, { timeout: 60_000 }).toBe(name);
      expect(lab.virsh(lab.home(id), 'domstate', id)).toBe('running');
      const ping = lab.ping(heartbeat(lab, id).address);
      await expect.poll(() => ping.answers().length, { timeout: 30_000 }).toBeGreaterThan(0);
      await ping.stop();
      // A container's root lies open on its node: its guest has taken the key from its seed.
      if (kind === 'container') {
        const root = `/var/lib/hostgrid/pool/roots/${id}`;
        expect(lab.inside(lab.home(id), 'cat', `${root}/data/authorized_keys`)).toContain(key);
      }
    }

    await owner.order(id, 'Stop');
    await owner.open(`/vms/${id}`);
    await expect(owner.page.locator('main')).toContainText('Stopped');
    if (!lab.simulated) {
      expect(lab.virsh(lab.home(id), 'domstate', id)).toBe('shut off');
      // A machine's file system is read where its image puts it, now that nobody writes it.
      if (kind === 'machine') {
        const disk = `/var/lib/hostgrid/pool/${id}.raw?offset=${81920 * 512}`;
        expect(lab.inside(lab.home(id), 'debugfs', '-R', 'cat /authorized_keys', disk)).toContain(key);
      }
    }
    await owner.order(id, 'Start');
    await owner.open(`/vms/${id}`);
    await expect(owner.page.locator('main')).toContainText('Running');

    const home = lab.simulated ? '' : lab.home(id);
    await owner.remove(id);
    expect((await owner.outcome()).word, await owner.said()).toBe('Succeeded');
    await owner.open('/vms');
    await expect(owner.page.locator(`a[href*="${id}"]`)).toHaveCount(0);
    if (!lab.simulated) {
      expect(lab.whereabouts(id)).toEqual([]);
      expect(lab.poolFiles(home).filter((file) => file.includes(id))).toEqual([]);
    }
  });
}

test('two VMs of one tenant cannot have the same name', async ({ as, lab }) => {
  const owner = await as(lab.vm('shop').owner);
  await owner.open('/vms/new');
  await owner.field('Name').fill('shop');
  await owner.page.getByLabel('Image').selectOption('tiny');
  await owner.page.getByLabel('Offer').selectOption({ index: 0 });
  await owner.button('Deploy').click();
  await expect(owner.problem).toContainText(/name/i);
  await expect(owner.field('Name')).toHaveValue('shop');
});
