//! XML as a small tree: what the hypervisor reports is read whole, changed where it must be, and written back with
//! all that we don't know. Written by quick-xml's escaping writer; never by text formatting.

use crate::hypervisor::HypervisorError;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer};

/// An element with its attributes, in their order, and what is inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Element(Element),
    Text(String),
}

/// How deep an answer may be nested; libvirt's are not deeper than ten.
const DEEPEST: usize = 64;

impl Element {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), attributes: Vec::new(), nodes: Vec::new() }
    }

    #[must_use]
    pub(super) fn with(mut self, attribute: &str, value: impl Into<String>) -> Self {
        self.set(attribute, value);
        self
    }

    #[must_use]
    pub(super) fn text(mut self, text: impl Into<String>) -> Self {
        self.set_text(text);
        self
    }

    #[must_use]
    pub(super) fn child(mut self, child: Self) -> Self {
        self.push(child);
        self
    }

    /// An amount of MiB, with its unit written down.
    pub(super) fn mib(name: &str, mib: u64) -> Self {
        Self::new(name).with("unit", "MiB").text(mib.to_string())
    }

    pub(super) fn set(&mut self, attribute: &str, value: impl Into<String>) {
        match self.attributes.iter_mut().find(|(name, _)| name == attribute) {
            Some((_, old)) => *old = value.into(),
            None => self.attributes.push((attribute.into(), value.into())),
        }
    }

    pub(super) fn remove_attribute(&mut self, attribute: &str) {
        self.attributes.retain(|(name, _)| name != attribute);
    }

    pub(super) fn set_text(&mut self, text: impl Into<String>) {
        self.nodes = vec![Node::Text(text.into())];
    }

    pub(super) fn push(&mut self, child: Self) {
        self.nodes.push(Node::Element(child));
    }

    pub(super) fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == attribute).map(|(_, value)| value.as_str())
    }

    pub(super) fn text_of(&self) -> String {
        let text = self.nodes.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        text.collect::<String>().trim().to_owned()
    }

    pub(super) fn children(&self) -> impl Iterator<Item = &Self> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children().filter(move |child| child.name == name)
    }

    /// The first element on this way down.
    pub(super) fn find(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.children().find(|child| child.name == *name))
    }

    fn children_mut(&mut self) -> impl Iterator<Item = &mut Self> {
        self.nodes.iter_mut().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    pub(super) fn find_mut(&mut self, path: &[&str]) -> Option<&mut Self> {
        path.iter().try_fold(self, |element, name| element.children_mut().find(|child| child.name == *name))
    }

    /// The child of this name; made, empty, where there is none.
    pub(super) fn entry(&mut self, name: &str) -> &mut Self {
        let known = self.nodes.iter().position(|node| matches!(node, Node::Element(it) if it.name == name));
        let at = known.unwrap_or_else(|| {
            self.push(Self::new(name));
            self.nodes.len() - 1
        });
        match &mut self.nodes[at] {
            Node::Element(element) => element,
            Node::Text(_) => unreachable!("the position is an element's"),
        }
    }

    /// Puts the element in the place of all of its name, or at the end.
    pub(super) fn replace(&mut self, element: Self) {
        let name = element.name.clone();
        *self.entry(&name) = element;
    }

    pub(super) fn remove(&mut self, unwanted: impl Fn(&Self) -> bool) {
        self.nodes.retain(|node| !matches!(node, Node::Element(element) if unwanted(element)));
    }

    /// Reads a whole document.
    pub(super) fn parse(text: &str) -> Result<Self, HypervisorError> {
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Self> = Vec::new();
        loop {
            let event = reader.read_event().map_err(|error| unreadable(&error))?;
            let done = match event {
                Event::Start(start) if open.len() < DEEPEST => {
                    open.push(Self::opened(&start)?);
                    None
                }
                Event::Empty(start) => Some(Self::opened(&start)?),
                Event::End(_) => open.pop(),
                Event::Text(text) => add_text(&mut open, &text.xml10_content()),
                Event::CData(text) => add_text(&mut open, &text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let character = reference.resolve_char_ref().map_err(|error| unreadable(&error))?;
                    let name = reference.xml10_content();
                    let known = quick_xml::escape::resolve_predefined_entity(&name);
                    match (character, known) {
                        (Some(character), _) => add_text(&mut open, character.encode_utf8(&mut [0; 4])),
                        (None, Some(text)) => add_text(&mut open, text),
                        (None, None) => return Err(unreadable(&"an unknown entity")),
                    }
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => None,
                Event::Start(_) | Event::DocType(_) | Event::Eof => return Err(unreadable(&"not a plain document")),
            };
            if let Some(element) = done {
                match open.last_mut() {
                    Some(parent) => parent.push(element),
                    None => return Ok(element),
                }
            }
        }
    }

    fn opened(start: &BytesStart<'_>) -> Result<Self, HypervisorError> {
        let mut element = Self::new(start.name().as_ref());
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| unreadable(&error))?;
            let value =
                attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(|error| unreadable(&error))?;
            element.attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
        }
        Ok(element)
    }

    /// Writes the document. Characters that XML can't carry are left out.
    pub(super) fn write(&self) -> Result<String, HypervisorError> {
        let mut writer = Writer::new(Vec::new());
        self.write_to(&mut writer).map_err(|error| unreadable(&error))?;
        String::from_utf8(writer.into_inner()).map_err(|error| unreadable(&error))
    }

    fn write_to(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let mut start = BytesStart::new(self.name.as_str());
        let clean: Vec<_> = self.attributes.iter().map(|(name, value)| (name.as_str(), legal(value))).collect();
        for (name, value) in &clean {
            start.push_attribute((*name, value.as_str()));
        }
        if self.nodes.is_empty() {
            return writer.write_event(Event::Empty(start));
        }
        writer.write_event(Event::Start(start))?;
        for node in &self.nodes {
            match node {
                Node::Element(element) => element.write_to(writer)?,
                Node::Text(text) => writer.write_event(Event::Text(BytesText::new(&legal(text))))?,
            }
        }
        writer.write_event(Event::End(BytesEnd::new(self.name.as_str())))
    }
}

/// Text without what XML 1.0 forbids (its production `Char`).
fn legal(text: &str) -> String {
    let fine = |it: &char| matches!(it, '\t' | '\n' | '\r') || (*it >= ' ' && *it != '\u{fffe}' && *it != '\u{ffff}');
    text.chars().filter(fine).collect()
}

/// Text between elements; white space is kept, as nothing is known of it.
fn add_text(open: &mut [Element], text: &str) -> Option<Element> {
    if let Some(element) = open.last_mut() {
        match element.nodes.last_mut() {
            Some(Node::Text(before)) => before.push_str(text),
            _ => element.nodes.push(Node::Text(text.into())),
        }
    }
    None
}

fn unreadable(error: &dyn std::fmt::Display) -> HypervisorError {
    HypervisorError::Refused(format!("its XML can't be read: {error}"))
}

/// An amount with libvirt's unit, in MiB, rounded down; libvirt's own unit is KiB.
pub(super) fn mib_of(element: &Element) -> Option<u64> {
    let amount: u64 = element.text_of().parse().ok()?;
    let bytes_a_unit: u64 = match element.get("unit").unwrap_or("KiB") {
        "b" | "bytes" => 1,
        "KB" => 1000,
        "k" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "T" | "TiB" => 1 << 40,
        _ => return None,
    };
    u64::try_from((u128::from(amount) * u128::from(bytes_a_unit)) >> 20).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_known_is_kept() {
        let text =
            "<domain type='qemu' id=\"3\"><a:x xmlns:a='u&amp;v'>1 &lt; 2 &#x41;</a:x><!-- gone --><b/>\n</domain>";
        let read = Element::parse(text).unwrap();
        assert_eq!(read.find(&["a:x"]).map(Element::text_of).as_deref(), Some("1 < 2 A"));
        assert_eq!(read.find(&["a:x"]).and_then(|it| it.get("xmlns:a")), Some("u&v"));
        assert_eq!(Element::parse(&read.write().unwrap()).unwrap(), read);
    }

    #[test]
    fn units_are_libvirts() {
        let of = |unit: &str, amount: &str| mib_of(&Element::new("memory").with("unit", unit).text(amount));
        assert_eq!(of("KiB", "1048576"), Some(1024));
        assert_eq!(of("GiB", "2"), Some(2048));
        assert_eq!(of("bytes", "1048575"), Some(0));
        assert_eq!(of("parsec", "1"), None);
        assert_eq!(of("KiB", "-1"), None);
    }

    #[test]
    fn a_broken_answer_is_an_error_and_not_a_panic() {
        for text in ["", "<a>", "<a></b>", "<a>&nope;</a>", "<!DOCTYPE a><a/>", &"<a>".repeat(100)] {
            assert!(Element::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_and_attribute_survives_writing_and_reading(text in "\\PC*", value in ".*") {
            let element = Element::new("title").with("hint", value.clone()).text(format!("x{text}"));
            let read = Element::parse(&element.write().unwrap()).unwrap();
            let kept = legal(&format!("x{text}"));
            prop_assert_eq!(read.text_of(), kept.trim());
            let plain = |it: &str| it.chars().all(|c| c >= ' ');
            if plain(&value) {
                prop_assert_eq!(read.get("hint").map(str::to_owned), Some(legal(&value)));
            }
        }
    }
}
