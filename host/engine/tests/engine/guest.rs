//! Components for tests: a core module in WebAssembly text, made a component of a world of the contract.
//!
//! The module keeps to the canonical ABI by hand. Memory: 128 the answer of `process`, 256 one emission, 1,024 its
//! description and constants, from 65,536 on a heap that each call of `process` frees.

use fermata_core::ports::Artifact;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../../../wit/stage.wit");
const DATA: u32 = 1024;

/// A component of `world` (of `wit`, which may use the contract) around a core module.
pub fn component(wit: Option<&str>, world: &str, module: &str) -> Artifact {
    encode(&[CONTRACT, wit.unwrap_or_default()], world, module)
}

/// A component of `world` of a WIT that the contract has no part in.
pub fn foreign(wit: &str, world: &str, module: &str) -> Artifact {
    encode(&[wit], world, module)
}

fn encode(sources: &[&str], world: &str, module: &str) -> Artifact {
    let mut wasm = wat::parse_str(module).expect("valid text");
    let mut resolve = Resolve::default();
    let package = sources
        .iter()
        .filter(|source| !source.is_empty())
        .map(|source| resolve.push_str("test.wit", source).expect("valid wit"))
        .last()
        .expect("at least one source");
    let world = resolve.select_world(&[package], Some(world)).expect("the world");
    embed_component_metadata(&mut wasm, &resolve, world, StringEncoding::UTF8).expect("embedded");
    let bytes = ComponentEncoder::default()
        .module(&wasm)
        .expect("a module that fits its world")
        .validate(true)
        .encode()
        .expect("a component");
    Artifact::new(bytes)
}

/// A stage; its fields are WebAssembly text.
pub struct Stage {
    /// Body of `process`: leaves the address of the answer.
    pub process: String,
    /// Body of `init` (parameters `$at`, `$len`: the configuration).
    pub init: String,
    /// Body of `describe`.
    pub describe: String,
    /// Further fields of the module.
    pub more: String,
    pub pages: u32,
    pub description: Layout,
    /// World and, if it is not one of the contract's, its WIT.
    pub world: (&'static str, Option<&'static str>),
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            process: "(call $emit (local.get $value) (local.get $value_len))".into(),
            init: "(i32.const 64)".into(),
            describe: "(global.get $description)".into(),
            more: String::new(),
            pages: 2,
            description: Description::default().layout(),
            world: ("stage", None),
        }
    }
}

impl Stage {
    pub fn process(body: &str) -> Self {
        Self {
            process: body.into(),
            ..Self::default()
        }
    }
    pub fn build(&self) -> Artifact {
        component(self.world.1, self.world.0, &self.text())
    }

    /// The core module.
    pub fn text(&self) -> String {
        let Self {
            process,
            init,
            describe,
            more,
            pages,
            description,
            ..
        } = self;
        let (at, data) = description.data();
        format!(
            r#"(module
  (import "fermata:stage/context@0.1.0" "now" (func $now (result i64)))
  (import "fermata:stage/context@0.1.0" "random" (func $random (result i64)))
  (import "fermata:stage/context@0.1.0" "id" (func $id (param i32)))
  (import "fermata:stage/context@0.1.0" "root" (func $root (param i32)))
  (import "fermata:stage/store@0.1.0" "get" (func $get (param i32 i32 i32 i32 i32)))
  (import "fermata:stage/store@0.1.0" "put" (func $put (param i32 i32 i32 i32 i32 i32)))
  (import "fermata:stage/store@0.1.0" "delete" (func $delete (param i32 i32 i32 i32)))
  (import "fermata:stage/store@0.1.0" "scan" (func $scan (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "fermata:stage/timer@0.1.0" "set" (func $set_timer (param i32 i32 i64 i32 i32)))
  (import "fermata:stage/timer@0.1.0" "cancel" (func $cancel_timer (param i32 i32)))
  (import "fermata:stage/metrics@0.1.0" "add" (func $add (param i32 i32 i32 i32 i64)))
  (import "fermata:stage/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") {pages})
  (global $description i32 (i32.const {at}))
  (global $heap (mut i32) (i32.const 65536))
  (data (i32.const {DATA}) "{data}")
  (data (i32.const 16) "out" "store" "key" "label" "last words")
  (func $alloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get 3)))
    (block $enough (loop $more
      (br_if $enough (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
      (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))
      unreachable))
    (local.get $at))
  ;; result<list<emission>, rejection>: ok
  (func $ok (param $list i32) (param $len i32) (result i32)
    (i32.store8 (i32.const 128) (i32.const 0))
    (i32.store (i32.const 132) (local.get $list))
    (i32.store (i32.const 136) (local.get $len))
    (i32.const 128))
  ;; one emission on the port "out" without key and headers
  (func $emit (param $value i32) (param $len i32) (result i32)
    (i32.store (i32.const 256) (i32.const 16))
    (i32.store (i32.const 260) (i32.const 3))
    (i32.store (i32.const 264) (i32.const 0))
    (i32.store (i32.const 276) (i32.const 1))
    (i32.store (i32.const 280) (local.get $value))
    (i32.store (i32.const 284) (local.get $len))
    (i32.store (i32.const 288) (i32.const 0))
    (i32.store (i32.const 292) (i32.const 0))
    (call $ok (i32.const 256) (i32.const 1)))
  ;; the eight bytes of a number as an emission
  (func $emit_number (param $number i64) (result i32)
    (i64.store (i32.const 320) (local.get $number))
    (call $emit (i32.const 320) (i32.const 8)))
  (func (export "fermata:stage/processor@0.1.0#describe") (result i32) {describe})
  (func (export "fermata:stage/processor@0.1.0#init") (param $at i32) (param $len i32) (result i32) {init})
  (func (export "fermata:stage/processor@0.1.0#process")
    (param $port i32) (param $port_len i32) (param $has_key i32) (param $key i32) (param $key_len i32)
    (param $has_value i32) (param $value i32) (param $value_len i32) (param $headers i32) (param $headers_len i32)
    (param $timestamp i64) (param $verdicts i32) (param $verdicts_len i32) (result i32)
    {process})
  (func (export "cabi_post_fermata:stage/processor@0.1.0#process") (param i32)
    (global.set $heap (i32.const 65536)))
  {more})"#
        )
    }
}

/// Data of a module, laid out as the canonical ABI wants it.
#[derive(Clone, Default)]
pub struct Layout {
    bytes: Vec<u8>,
    /// Address of what the data is about.
    root: u32,
}

type Slice = (u32, u32);

impl Layout {
    fn put(&mut self, bytes: &[u8]) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let at = DATA + u32::try_from(self.bytes.len()).unwrap();
        self.bytes.extend_from_slice(bytes);
        at
    }
    fn text(&mut self, text: &str) -> Slice {
        (self.put(text.as_bytes()), u32::try_from(text.len()).unwrap())
    }
    fn list(&mut self, elements: &[Vec<u8>]) -> Slice {
        let at = self.put(&elements.concat());
        (at, u32::try_from(elements.len()).unwrap())
    }
    fn data(&self) -> (u32, String) {
        let hex = self.bytes.iter().map(|b| format!("\\{b:02x}")).collect();
        (self.root, hex)
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// What a stage says of itself.
pub struct Description {
    pub name: &'static str,
    pub version: &'static str,
    pub inputs: Vec<&'static str>,
    pub outputs: Vec<&'static str>,
    pub stores: Vec<&'static str>,
    pub views: Vec<&'static str>,
    pub metrics: Vec<&'static str>,
    pub timers: bool,
    pub config_schema: &'static str,
}

impl Default for Description {
    fn default() -> Self {
        Self {
            name: "probe",
            version: "1.0.0",
            inputs: vec!["in"],
            outputs: vec!["out"],
            stores: vec!["store"],
            views: vec![],
            metrics: vec!["seen"],
            timers: false,
            config_schema: "{}",
        }
    }
}

impl Description {
    pub fn layout(&self) -> Layout {
        let mut layout = Layout::default();
        let it = &mut layout;
        let name = it.text(self.name);
        let version = it.text(self.version);
        let ports = |it: &mut Layout, names: &[&str]| {
            let versions = it.list(&[words(&[1])]);
            let elements: Vec<_> = names
                .iter()
                .map(|name| it.text(name))
                .map(|name| words(&[name.0, name.1, versions.0, versions.1]))
                .collect();
            it.list(&elements)
        };
        let inputs = ports(it, &self.inputs);
        let outputs = ports(it, &self.outputs);
        let elements: Vec<_> = self.stores.iter().map(|name| it.text(name)).collect();
        let elements = elements.iter().map(|name| words(&[name.0, name.1, 1, 0, 0, 0]));
        let stores = it.list(&elements.collect::<Vec<_>>());
        let schema = it.text("{}");
        let elements: Vec<_> = self.views.iter().map(|name| it.text(name)).collect();
        let elements = elements
            .iter()
            .map(|name| words(&[name.0, name.1, 1, schema.0, schema.1, schema.0, schema.1]));
        let views = it.list(&elements.collect::<Vec<_>>());
        let elements: Vec<_> = self.metrics.iter().map(|name| it.text(name)).collect();
        let label = it.text("kind");
        let labels = it.list(&[words(&[label.0, label.1])]);
        let elements = elements.iter().map(|name| {
            let text = |at: Slice| [at.0, at.1];
            words(&[text(*name), [0, schema.0], [0, schema.0], [0, labels.0], [labels.1, 0]].concat()[..9])
        });
        let metrics = it.list(&elements.collect::<Vec<_>>());
        let config = it.text(self.config_schema);
        let lists = [name, version, inputs, outputs, stores, views, metrics];
        let mut record: Vec<u32> = lists.iter().flat_map(|(at, len)| [*at, *len]).collect();
        record.extend([u32::from(self.timers), config.0, config.1]);
        layout.root = layout.put(&words(&record));
        layout
    }
}
