//! Each kind of mistake, one at a time in a manifest that is right otherwise: what is told, and that nothing else is.

use super::{GOOD, Source};
use crate::codes::{MANIFEST_REFERENCE, MANIFEST_SECRET, MANIFEST_SYNTAX, MANIFEST_VALUE};

struct Mistake {
    kind: &'static str,
    /// A piece of the good manifest, and what stands there instead.
    find: &'static str,
    replace: &'static str,
    code: &'static str,
    /// Line and column.
    at: (usize, usize),
    /// Words of message and help.
    told: &'static [&'static str],
}

const fn mistake(
    kind: &'static str,
    find: &'static str,
    replace: &'static str,
    code: &'static str,
    at: (usize, usize),
    told: &'static [&'static str],
) -> Mistake {
    Mistake {
        kind,
        find,
        replace,
        code,
        at,
        told,
    }
}

const fn syntax(
    kind: &'static str,
    find: &'static str,
    replace: &'static str,
    at: (usize, usize),
    told: &'static [&'static str],
) -> Mistake {
    mistake(kind, find, replace, MANIFEST_SYNTAX, at, told)
}

const fn value(
    kind: &'static str,
    find: &'static str,
    replace: &'static str,
    at: (usize, usize),
    told: &'static [&'static str],
) -> Mistake {
    mistake(kind, find, replace, MANIFEST_VALUE, at, told)
}

const fn reference(
    kind: &'static str,
    find: &'static str,
    replace: &'static str,
    at: (usize, usize),
    told: &'static [&'static str],
) -> Mistake {
    mistake(kind, find, replace, MANIFEST_REFERENCE, at, told)
}

const MISTAKES: &[Mistake] = &[
    // What is no TOML.
    syntax("no value", "noun = \"orders\"", "noun =", (5, 7), &[]),
    syntax("text without quotes", "noun = \"orders\"", "noun = orders", (5, 8), &[]),
    syntax("text without end", "\"shop\"", "\"shop", (3, 13), &[]),
    syntax(
        "brace without end",
        "{ view = \"order\" }",
        "{ view = \"order\"",
        (13, 1),
        &[],
    ),
    syntax(
        "key twice",
        "noun = \"orders\"",
        "name = \"again\"",
        (5, 1),
        &["duplicate key"],
    ),
    syntax(
        "stage twice",
        "[stage.close]",
        "[stage.check]",
        (19, 8),
        &["duplicate key"],
    ),
    syntax(
        "topic twice",
        "partitions = 1_6",
        "partitions = 16\ntopics.\"order.incoming\" = { head = true }",
        (7, 8),
        &["duplicate key"],
    ),
    syntax(
        "port twice",
        "{ done = \"order.done\" }",
        "{ done = \"order.done\", done = \"order.ok\" }",
        (22, 30),
        &["duplicate key"],
    ),
    syntax(
        "control character",
        "noun = \"orders\"",
        "noun = \"ord\u{1}ers\"",
        (5, 12),
        &[],
    ),
    // Keys.
    syntax(
        "unknown key at the top",
        "noun =",
        "nuon =",
        (5, 1),
        &["at the top", "did you mean \"noun\""],
    ),
    syntax(
        "key that is not due",
        "search = {",
        "policy = {",
        (12, 1),
        &["not a key", "valid here"],
    ),
    syntax(
        "unknown key of a topic",
        "key = \"id\"",
        "keys = \"id\"",
        (6, 42),
        &["topics.order.incoming", "did you mean \"key\""],
    ),
    syntax(
        "unknown key of a stage",
        "in = { checked",
        "inn = 1\nin = { checked",
        (21, 1),
        &["in stage.close", "did you mean \"in\""],
    ),
    syntax(
        "unknown limit",
        "fuel =",
        "fule =",
        (18, 30),
        &["stage.check.limits", "did you mean \"fuel\""],
    ),
    syntax(
        "unknown key of a generator",
        "out = { order = ",
        "rate = 5\nout = { order = ",
        (25, 1),
        &["generator.orders"],
    ),
    syntax(
        "unknown key of drain",
        "timeout = \"5s\"",
        "time-out = \"5s\"",
        (7, 76),
        &["did you mean \"timeout\""],
    ),
    syntax(
        "unknown key of a condition",
        "equals = 0 }",
        "equals = 0, is = 1 }",
        (7, 74),
        &["drain.complete-when"],
    ),
    syntax(
        "unknown key of deploy",
        "probation = \"200ms\"",
        "probatoin = \"200ms\"",
        (8, 12),
        &["did you mean \"probation\""],
    ),
    syntax(
        "unknown key of a goal",
        "over = \"1m\"",
        "within = \"1m\"",
        (9, 108),
        &["goal[0]"],
    ),
    syntax(
        "unknown key of an invariant",
        "each = 0, when",
        "each = 0, wen",
        (10, 144),
        &["invariant[1]", "did you mean \"when\""],
    ),
    syntax(
        "unknown key of a figure",
        "{ name = \"taken_in\", count",
        "{ name = \"taken_in\", unit = 1, count",
        (11, 33),
        &["summary[0]"],
    ),
    syntax(
        "unknown key of search",
        "{ view = \"order\" }",
        "{ view = \"order\", key = 1 }",
        (12, 28),
        &["in search"],
    ),
    // What is missing.
    syntax(
        "no format",
        "manifest = 1\n",
        "\n",
        (1, 1),
        &["\"manifest\" is missing"],
    ),
    syntax("no name", "name = \"shop\"", "", (1, 1), &["\"name\" is missing"]),
    syntax(
        "no partitions",
        "partitions = 1_6",
        "",
        (1, 1),
        &["\"partitions\" is missing"],
    ),
    syntax(
        "no component",
        "component = \"target/close.wasm\"",
        "",
        (19, 1),
        &["\"stage.close.component\" is missing"],
    ),
    syntax(
        "no input",
        "in = { checked = \"order.ok\" }",
        "",
        (19, 1),
        &["\"stage.close.in\" is missing"],
    ),
    syntax(
        "condition without a value",
        ", equals = 0",
        "",
        (7, 27),
        &["\"drain.complete-when.equals\" is missing"],
    ),
    syntax(
        "goal without a metric",
        "metric = \"fermata_pipeline_latency_seconds\", ",
        "",
        (9, 9),
        &["\"goal[0].metric\" is missing"],
    ),
    syntax(
        "invariant without a number",
        ", each = 0",
        "",
        (10, 87),
        &["\"invariant[1].each\" is missing"],
    ),
    syntax(
        "figure without a source",
        "count = \"order.incoming\" ",
        "",
        (11, 12),
        &["\"summary[0].count\" is missing"],
    ),
    // Types.
    syntax(
        "number for a name",
        "name = \"shop\"",
        "name = 7",
        (3, 8),
        &["must be a string", "integer"],
    ),
    syntax(
        "text for a number",
        "partitions = 1_6",
        "partitions = \"16\"",
        (4, 14),
        &["must be a whole number", "string"],
    ),
    syntax(
        "fraction for a number",
        "partitions = 1_6",
        "partitions = 1.5",
        (4, 14),
        &["must be a whole number", "float"],
    ),
    syntax(
        "text for yes or no",
        "head = true",
        "head = \"yes\"",
        (6, 36),
        &["must be true or false"],
    ),
    syntax(
        "text for a table",
        "limits = { memory = \"32MiB\", fuel = 1_000_000, wall = \"2s\", output-bytes = 4096 }",
        "limits = \"none\"",
        (18, 10),
        &["must be a table"],
    ),
    syntax("table for a list", "goal = [{", "goal = { a = [{", (10, 1), &[]),
    syntax(
        "text for a config",
        "config = { max = 10_000, nested = { list = [1, 2.5, \"x\"] } }",
        "config = \"{}\"",
        (17, 10),
        &["must be a table"],
    ),
    syntax(
        "number for a duration",
        "timeout = \"5s\"",
        "timeout = 5",
        (7, 86),
        &["must be a string"],
    ),
    // Values.
    value("another format", "manifest = 1", "manifest = 2", (2, 12), &["format 1"]),
    value(
        "capitals in a name",
        "name = \"shop\"",
        "name = \"Shop\"",
        (3, 8),
        &["pipeline name"],
    ),
    value(
        "capitals in a stage",
        "[stage.close]",
        "[stage.Close]",
        (19, 8),
        &["stage name"],
    ),
    value(
        "spaces in a topic",
        "done = \"order.done\" }\n[",
        "done = \"order done\" }\n[",
        (22, 16),
        &["topic name"],
    ),
    value(
        "spaces in a port",
        "out = { ok =",
        "out = { \"o k\" =",
        (16, 9),
        &["port name"],
    ),
    value(
        "name of a generator",
        "[generator.orders]",
        "[generator.\"all orders\"]",
        (23, 12),
        &["expected a name"],
    ),
    value(
        "name of a goal",
        "name = \"latency\"",
        "name = \"p99 latency\"",
        (9, 18),
        &["expected a name"],
    ),
    value(
        "no partition",
        "partitions = 1_6",
        "partitions = 0",
        (4, 14),
        &["from 1 to 10000", "found 0"],
    ),
    value(
        "negative partitions",
        "partitions = 1_6",
        "partitions = -4",
        (4, 14),
        &["from 1 to"],
    ),
    value(
        "too many partitions",
        "partitions = 1_6",
        "partitions = 1_000_000",
        (4, 14),
        &["found 1000000"],
    ),
    value(
        "number beyond 64 bits",
        "fuel = 1_000_000",
        "fuel = 99999999999999999999",
        (18, 37),
        &["64 bits"],
    ),
    value(
        "duration without a unit",
        "\"5s\"",
        "\"5\"",
        (7, 86),
        &["expected a duration"],
    ),
    value(
        "duration in an unknown unit",
        "\"5s\"",
        "\"5 parsecs\"",
        (7, 86),
        &["expected a duration"],
    ),
    value(
        "negative duration",
        "\"5s\"",
        "\"-5s\"",
        (7, 86),
        &["expected a duration"],
    ),
    value("no duration", "\"5s\"", "\"0s\"", (7, 86), &["from 1ms to"]),
    value(
        "duration of ages",
        "\"5s\"",
        "\"99999999d\"",
        (7, 86),
        &["from 1ms to 3650d"],
    ),
    value(
        "duration beyond 64 bits",
        "\"5s\"",
        "\"99999999999999999d\"",
        (7, 86),
        &["expected a duration"],
    ),
    value(
        "window longer than is kept",
        "over = \"1m\"",
        "over = \"1h\"",
        (9, 115),
        &["1ms to 10m"],
    ),
    value(
        "size in an unknown unit",
        "\"32MiB\"",
        "\"32MB\"",
        (18, 21),
        &["expected a size"],
    ),
    value("no size", "\"32MiB\"", "\"0MiB\"", (18, 21), &["expected a size"]),
    value(
        "size beyond 64 bits",
        "\"32MiB\"",
        "\"99999999999GiB\"",
        (18, 21),
        &["expected a size"],
    ),
    value(
        "negative size",
        "output-bytes = 4096",
        "output-bytes = -1",
        (18, 76),
        &["found -1"],
    ),
    value("less memory than a page", "\"32MiB\"", "\"1KiB\"", (18, 21), &["65536"]),
    value(
        "more memory than 32 bits",
        "\"32MiB\"",
        "\"8GiB\"",
        (18, 21),
        &["4294967296"],
    ),
    value("no fuel", "fuel = 1_000_000", "fuel = 0", (18, 37), &["from 1 to"]),
    value(
        "quantile of percents",
        "quantile = 0.99",
        "quantile = 99",
        (9, 85),
        &["between 0 and 1"],
    ),
    value(
        "quantile that is no number",
        "quantile = 0.99",
        "quantile = nan",
        (9, 85),
        &["finite"],
    ),
    value(
        "quantile of a rate",
        "fermata_pipeline_latency_seconds",
        "fermata_pipeline_records_total",
        (9, 83),
        &["no quantiles"],
    ),
    value(
        "two bounds",
        "below = \"200ms\"",
        "below = \"200ms\", above = 1",
        (9, 116),
        &["one bound"],
    ),
    value("no bound", "below = \"200ms\", ", "", (9, 9), &["needs a bound"]),
    value(
        "bound without end",
        "below = \"200ms\"",
        "below = inf",
        (9, 99),
        &["finite"],
    ),
    value(
        "bound below nothing",
        "below = \"200ms\"",
        "below = -1",
        (9, 99),
        &["more than 0"],
    ),
    value(
        "goal twice",
        "over = \"1m\" }]",
        "over = \"1m\" }, { name = \"latency\", metric = \"fermata_pipeline_records_total\", above = 1 }]",
        (9, 132),
        &["another goal"],
    ),
    value(
        "invariant twice",
        "name = \"sum\"",
        "name = \"ends-once\"",
        (10, 96),
        &["another invariant"],
    ),
    value(
        "figure twice",
        "name = \"open\", count",
        "name = \"taken_in\", count",
        (11, 70),
        &["another summary"],
    ),
    value(
        "pointer without a slash",
        "field = \"/count\", equals",
        "field = \"count\", equals",
        (7, 52),
        &["JSON Pointer"],
    ),
    value(
        "pointer with a bare tilde",
        "field = \"/count\", equals",
        "field = \"/a~b\", equals",
        (7, 52),
        &["JSON Pointer", "~0"],
    ),
    value(
        "time that nobody knows",
        "when = \"drained\"",
        "when = \"always\"",
        (10, 151),
        &["drained", "always"],
    ),
    value(
        "no end",
        "ends-in = [\"order.done\"]",
        "ends-in = []",
        (10, 69),
        &["at least one topic"],
    ),
    value("no view", "view = \"order\"", "view = \"\"", (12, 19), &["empty"]),
    value(
        "built-in without a version",
        "builtin:check@1.0.0",
        "builtin:check",
        (14, 13),
        &["builtin:name@version"],
    ),
    value(
        "digest that is cut",
        "builtin:check@1.0.0",
        "sha256:12ab",
        (14, 13),
        &["64 hex digits"],
    ),
    value(
        "component of a registry",
        "builtin:check@1.0.0",
        "oci://r/check",
        (14, 13),
        &["expected a path"],
    ),
    value(
        "component from the web",
        "builtin:check@1.0.0",
        "https://example.com/check.wasm",
        (14, 13),
        &["expected a path"],
    ),
    value(
        "no component's name",
        "target/close.wasm",
        " ",
        (20, 13),
        &["expected a path"],
    ),
    value(
        "no topic to read",
        "in = [\"order.incoming\"]",
        "in = []",
        (15, 6),
        &["at least one topic"],
    ),
    value(
        "reference outside a config",
        "noun = \"orders\"",
        "noun = \"${env:NOUN}\"",
        (5, 8),
        &["inside a config only", "env.<name>"],
    ),
    // References.
    reference(
        "unknown topic to read",
        "in = [\"order.incoming\"]",
        "in = [\"order.incomin\"]",
        (15, 7),
        &["did you mean \"order.incoming\""],
    ),
    reference(
        "topic from nowhere",
        "in = { checked = \"order.ok\" }",
        "in = { checked = \"order.ok\", x = \"somewhere.else\" }",
        (21, 34),
        &["somewhere.else", "must be declared"],
    ),
    reference(
        "unknown end",
        "ends-in = [\"order.done\"]",
        "ends-in = [\"order.doen\"]",
        (10, 70),
        &["did you mean \"order.done\""],
    ),
    reference(
        "unknown beginning",
        "of = \"order.incoming\"",
        "of = \"order.coming\"",
        (10, 41),
        &["did you mean \"order.incoming\""],
    ),
    reference(
        "unknown topic to count",
        "count = \"order.incoming\"",
        "count = \"order.in\"",
        (11, 41),
        &["order.in"],
    ),
    reference(
        "unknown metric",
        "latency_seconds",
        "latency_second",
        (9, 38),
        &["fermata_pipeline_latency_seconds"],
    ),
    reference(
        "head that a stage writes",
        "{ ok = \"order.ok\" }",
        "{ ok = \"order.ok\", back = \"order.incoming\" }",
        (6, 8),
        &["a stage writes it"],
    ),
    reference(
        "no head, and nobody writes",
        "head = true",
        "head = false",
        (6, 8),
        &["no stage writes it"],
    ),
    reference(
        "key of a topic between stages",
        "partitions = 1_6",
        "partitions = 16\ntopics.\"order.ok\" = { key = \"id\" }",
        (5, 8),
        &["`key` is for heads"],
    ),
    reference(
        "misplaced records of a topic between stages",
        "partitions = 1_6",
        "partitions = 16\ntopics.\"order.ok\" = { on-misplaced = \"trust\" }",
        (5, 8),
        &["`on-misplaced` is for heads"],
    ),
    value(
        "what becomes of misplaced records",
        "partitions = 1_6",
        "partitions = 16\ntopics.\"order.ok\" = { on-misplaced = \"re-route\" }",
        (5, 38),
        &["\"reject\", \"reroute\" or \"trust\"", "did you mean \"reroute\""],
    ),
    reference(
        "head that nobody reads",
        "partitions = 1_6",
        "partitions = 16\ntopics.\"order.lonely\" = { head = true }",
        (5, 8),
        &["no stage reads or writes"],
    ),
    reference(
        "generator into the middle",
        "out = { order = \"order.incoming\" }",
        "out = { order = \"order.ok\" }",
        (25, 17),
        &["heads only"],
    ),
    reference(
        "topic of the host",
        "out = { done = \"order.done\" }",
        "out = { done = \"order.done\", x = \"shop.dlq\" }",
        (22, 34),
        &["belongs to the host"],
    ),
    reference(
        "topic of the host on Kafka",
        "out = { done = \"order.done\" }",
        "out = { done = \"order.done\", x = \"shop.check.changelog\" }",
        (22, 34),
        &["belongs to the host", "Kafka"],
    ),
    reference(
        "topic of the doctor",
        "out = { done = \"order.done\" }",
        "out = { done = \"order.done\", x = \"shop.doctor\" }",
        (22, 34),
        &["belongs to the host", "Kafka"],
    ),
    reference(
        "topic read twice",
        "in = { checked = \"order.ok\" }",
        "in = { checked = \"order.ok\", again = \"order.ok\" }",
        (21, 38),
        &["twice"],
    ),
    reference(
        "topic listed twice",
        "in = [\"order.incoming\"]",
        "in = [\"order.incoming\", \"order.incoming\"]",
        (15, 25),
        &["twice"],
    ),
    reference(
        "circle without a head",
        "[generator.orders]",
        "[stage.round]\ncomponent = \"x\"\nin = [\"r\"]\nout = { r = \"r\" }\n[generator.orders]",
        (23, 8),
        &["no way leads from a head", "round"],
    ),
    // Environments and secrets.
    syntax(
        "environment that is no table",
        "noun = \"orders\"",
        "noun = \"orders\"\nenv.prod = 5",
        (6, 12),
        &["\"env.prod\" must be a table"],
    ),
    syntax(
        "environments that are no table",
        "noun = \"orders\"",
        "noun = \"orders\"\nenv = 5",
        (6, 7),
        &["must be a table of environments"],
    ),
    value(
        "name of an environment",
        "noun = \"orders\"",
        "noun = \"orders\"\nenv.PROD = { }",
        (6, 5),
        &["name of an environment"],
    ),
    value(
        "environment with another name",
        "noun = \"orders\"",
        "noun = \"orders\"\nenv.prod = { name = \"x\" }",
        (6, 14),
        &["cannot change \"name\""],
    ),
    mistake(
        "unknown kind of secret",
        "max = 10_000",
        "max = \"${vault:x}\"",
        MANIFEST_SECRET,
        (17, 18),
        &["${env:NAME}", "vault"],
    ),
    mistake(
        "secret without end",
        "max = 10_000",
        "max = [\"${env:X\"]",
        MANIFEST_SECRET,
        (17, 19),
        &["closing brace"],
    ),
    mistake(
        "secret in a relative file",
        "max = 10_000",
        "max = \"${file:x}\"",
        MANIFEST_SECRET,
        (17, 18),
        &["relative path"],
    ),
];

#[test]
fn each_is_told_with_its_place_and_nothing_else_is() {
    let mut wrong = Vec::new();
    for m in MISTAKES {
        assert!(GOOD.contains(m.find), "{}: {:?}", m.kind, m.find);
        let text = GOOD.replacen(m.find, m.replace, 1);
        let found = match Source::new("pipeline.toml", &text).manifest() {
            Ok(_) => {
                wrong.push(format!("{}: passes", m.kind));
                continue;
            }
            Err(errors) => errors.into_all(),
        };
        let said: Vec<String> = found.iter().map(ToString::to_string).collect();
        let one = &found[0];
        let told = m.told.iter().all(|words| said[0].contains(words));
        if found.len() != 1 || one.code != m.code || (one.line, one.column) != m.at || !told {
            wrong.push(format!(
                "{}: expected {} at {:?} with {:?}, told:\n    {}",
                m.kind,
                m.code,
                m.at,
                m.told,
                said.join("\n    ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Several mistakes in several places, all told, from the top down.
#[test]
fn all_are_told_at_once() {
    let mut text = GOOD.to_owned();
    for (find, replace) in [
        ("name = \"shop\"", "name = \"Shop\""),
        ("partitions = 1_6", "partitions = 0"),
        ("quantile = 0.99", "quantile = 9"),
        ("over = \"1m\"", "ovr = \"1m\""),
        ("fuel =", "fule ="),
        ("\"32MiB\"", "\"32MB\""),
        ("wall = \"2s\"", "wall = 2"),
        ("component = \"target/close.wasm\"", ""),
        ("view = \"order\"", "view = 1"),
        ("ends-in = [\"order.done\"]", "ends-in = [\"order.doen\"]"),
    ] {
        assert!(text.contains(find), "{find}");
        text = text.replacen(find, replace, 1);
    }
    let errors = Source::new("p", &text).manifest().expect_err("ten mistakes").into_all();
    let lines: Vec<usize> = errors.iter().map(|e| e.line).collect();
    assert_eq!(lines, [3, 4, 9, 9, 10, 12, 18, 18, 18, 19], "{errors:#?}");
}

#[test]
fn a_file_may_hold_anything() {
    let crlf = GOOD.replace('\n', "\r\n");
    assert!(
        Source::new("p", &crlf).manifest().is_ok(),
        "lines may end as on Windows"
    );
    assert!(
        Source::new("p", &format!("\u{feff}{GOOD}")).manifest().is_ok(),
        "with a mark of byte order"
    );
    let marked = format!("\u{feff}{}", GOOD.replacen("1_6", "0", 1));
    let error = Source::new("p", &marked)
        .manifest()
        .expect_err("no partition")
        .into_first();
    assert_eq!((error.line, error.column), (4, 14), "{error}");

    let error = Source::new("p", "").manifest().expect_err("empty").into_first();
    assert!(error.to_string().contains("\"manifest\" is missing"), "{error}");
    let bytes = |bytes: &[u8]| Source::from_bytes("p", bytes.to_vec()).err().map(|e| e.into_first());
    let error = bytes(b"manifest = 1\nname = \"sh\xffop\"\n").expect("no UTF-8");
    assert_eq!(
        (error.line, error.column, error.code),
        (2, 11, MANIFEST_SYNTAX),
        "{error}"
    );
    assert!(error.to_string().contains("0xff"), "{error}");
    let error = bytes(&vec![b'#'; (1 << 20) + 1]).expect("too long");
    assert!(error.to_string().contains("1048576"), "{error}");
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(
        Source::new("p", &deep).manifest().is_err(),
        "no stack is deep enough for everything"
    );
}
