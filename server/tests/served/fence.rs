//! A node that died, by plain forms: an admin fences it, and a customer has a VM of it rebuilt elsewhere.

use crate::server::{Server, until};

#[test]
fn a_dead_node_is_fenced_and_its_vm_rebuilt_without_scripts() {
    let server = Server::start();
    let shop = server.vm("shop").to_owned();
    let (vm_page, rebuild_page) = (format!("/vms/{shop}"), format!("/vms/{shop}/rebuild"));
    let mut admin = server.signed_in("admin");
    let home = server.home(&shop);
    let fence_page = format!("/admin/nodes/{home}/fence");

    // It answers, so that neither is possible.
    let fenced = [("name", &*home), ("confirmed", &*home)];
    let answer = admin.form("node_fence", &fenced);
    assert_eq!((answer.status, answer.location.as_str()), (302, &*fence_page), "{answer:?}");
    assert!(admin.page(&fence_page).body.contains("its hypervisor answers: drain it instead"));
    let mut ada = server.signed_in("ada");
    assert!(!ada.page(&vm_page).body.contains("data-out-of-service"));
    let rebuilt = [("id", &*shop), ("confirmed", "shop"), ("key", "served-rebuild")];
    assert_eq!(ada.form("vm_rebuild", &rebuilt).location, rebuild_page);
    assert!(ada.page(&rebuild_page).body.contains("not out of service"));

    let server = server.again_without(&home);
    let (mut admin, mut ada) = (server.signed_in("admin"), server.signed_in("ada"));
    until("the node says nothing", || admin.page(&format!("/admin/nodes/{home}")).body.contains(&fence_page));
    assert_eq!(admin.form("node_fence", &[("name", &home), ("confirmed", "<b>x")]).location, fence_page);
    let page = admin.page(&fence_page).body;
    for part in [&*format!("Type {home}, to confirm"), "value=\"&lt;b&gt;x\"", "data-fence=", "runs twice"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(admin.form("node_fence", &fenced).location, fence_page);
    let page = admin.page(&fence_page).body;
    for part in ["data-fenced", &*rebuild_page, "take this back"] {
        assert!(page.contains(part), "{part}: {page}");
    }

    let page = ada.page(&vm_page).body;
    assert!(page.contains("data-out-of-service") && !page.contains(&home), "no node is named: {page}");
    let page = ada.page(&rebuild_page).body;
    assert!(page.contains("Everything that was written to it is missing") && !page.contains(&home), "{page}");
    assert_eq!(ada.form("vm_rebuild", &[("id", &shop), ("confirmed", "else"), ("key", "k")]).location, rebuild_page);
    assert!(ada.page(&rebuild_page).body.contains("Type shop, to confirm"));
    let operation = ada.form("vm_rebuild", &rebuilt).location;
    assert!(operation.starts_with("/operations/"), "{operation}");
    until("it is rebuilt", || ada.page(&operation).body.contains("Succeeded"));
    let page = ada.page(&vm_page).body;
    assert!(page.contains("Running") && !page.contains("data-out-of-service"), "{page}");

    // What was said by mistake, or is over, is taken back.
    let page = admin.press(&fence_page, "It is back: take this back", &[]);
    assert_eq!(page.location, fence_page);
    assert!(page.body.contains("data-fence=") && !page.body.contains("data-fenced"), "{}", page.body);
    let page = admin.page(&format!("/admin/nodes/{home}")).body;
    assert!(page.contains("It is cordoned: it takes no new VM") && !page.contains("It is fenced"), "{page}");
}
