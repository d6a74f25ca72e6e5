//! What pages are made of.

pub mod as_of;
pub mod badge;
pub mod bar;
pub mod capacity_answers;
pub mod chart;
pub mod choice;
pub mod error_panel;
pub mod field;
pub mod icon;
pub mod layout;
pub mod loaded;
pub mod moment;
pub mod node_facts;
pub mod node_settings;
pub mod node_table;
pub mod operation_table;
pub mod page_head;
pub mod quota;
pub mod relocation;
pub mod resize_form;
pub mod resize_preview;
pub mod schedule;
pub mod window;
