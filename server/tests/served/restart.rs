//! A second start: what people did with what was seeded is theirs.

use crate::server::{Server, until};

#[test]
fn a_second_start_keeps_what_there_is_and_seeds_nothing_twice() {
    let server = Server::start();
    let (shop, render) = (server.vm("shop").to_owned(), server.vm("render").to_owned());
    let mut ada = server.signed_in("ada");
    assert_eq!(ada.script("vm_delete", &[("id", &shop), ("key", "restart")]).status, 200);
    until("shop is gone", || ada.page(&format!("/vms/{shop}")).status == 404);
    let form = ada.page(&format!("/vms/{shop}/resize?vcpus=1&memory_mib=512&disk_gib=1"));
    assert!(form.status == 404 && form.body.contains("<h1>Not found"), "{form:?}");
    let preview = [("id", &*shop), ("typed[vcpus]", "1"), ("typed[memory_mib]", "512"), ("typed[disk_gib]", "1")];
    assert_eq!(ada.script("vm_resize_preview", &preview).status, 404, "what is deleted has no size");
    let cordoned = [("name", "qemu-a"), ("to", "cordoned")];
    assert_eq!(server.signed_in("admin").script("node_administration_set", &cordoned).status, 200);
    let smaller = server.command(&["offer", "set", "small", "--vcpus", "1", "--memory-mib", "128", "--disk-gib", "1"]);
    assert!(smaller.status.success(), "{smaller:?}");
    let quota = ["--vcpus", "3", "--memory-mib", "4096", "--disk-gib", "9", "--vms", "5"];
    let tenant = server.command(&[&["tenant", "set", "Acorn"][..], &quota].concat());
    assert!(tenant.status.success(), "{tenant:?}");
    let users = server.lab.users.clone();

    let server = server.again();
    assert_eq!(server.lab.users, users, "the same people, with the passwords that they had");
    let vms: Vec<&str> = server.lab.vms.iter().map(|vm| vm.id.as_str()).collect();
    assert_eq!(vms, [render.as_str()], "what was deleted stays so, what was there is the same");
    let node = server.signed_in("admin").page("/admin/nodes/qemu-a").body;
    assert!(node.contains("It is cordoned"), "{node}");
    let mut ada = server.signed_in("ada");
    let form = ada.page("/vms/new").body;
    assert!(form.contains("128 MiB") && !form.contains("256 MiB"), "the offer as it was changed: {form}");
    let list = ada.page("/vms").body;
    assert!(list.contains("4 GiB") && list.contains("9 GiB"), "the quota as it was changed: {list}");
}

#[test]
fn a_start_that_was_cut_short_is_gone_on_with() {
    let mut server = Server::begin();
    let sign_ins =
        server.until("its people are there", |server| server.file("sign-ins.json").filter(|it| it.contains("ben@")));
    let server = server.again();
    let names: Vec<&str> = server.lab.vms.iter().map(|vm| vm.name.as_str()).collect();
    assert_eq!(names, ["render", "shop"]);
    for user in &server.lab.users {
        assert!(sign_ins.contains(&user.password), "{} has the password that it was given first", user.email);
    }
    server.signed_in("ben");
}
