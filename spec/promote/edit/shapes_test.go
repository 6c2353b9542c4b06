package edit

// shape is one file, one change of it, and the lines that change.
type shape struct {
	name string
	text string
	path string // keys with dots between; [N] and [name=x] for elements
	to   any
	want string // lines: - for those that went, + for those that came
	doc  int    // of the first document unless said otherwise
	also bool   // let what an anchor shares change, too
}

func shapes() []shape {
	return append(append(plainShapes(), styledShapes()...), append(flowShapes(), append(sharedShapes(), addedShapes()...)...)...)
}

func plainShapes() []shape {
	return []shape{
		{name: "one key", text: "tag: 1.2.3\n", path: "tag", to: "1.3.0", want: "-tag: 1.2.3\n+tag: 1.3.0\n"},
		{name: "a nested key", text: "image:\n  repository: web\n  tag: 1.2.3\nreplicas: 2\n", path: "image.tag", to: "1.3.0", want: "-  tag: 1.2.3\n+  tag: 1.3.0\n"},
		{name: "a comment behind the value", text: "tag: 1.2.3   # set by CI\n", path: "tag", to: "1.3.0", want: "-tag: 1.2.3   # set by CI\n+tag: 1.3.0   # set by CI\n"},
		{name: "comments above, between and at the end", text: "# head\n\n# of a\na: 1\n\n# of tag\ntag: v1 # line\n# foot\n\n# end\n", path: "tag", to: "v2", want: "-tag: v1 # line\n+tag: v2 # line\n"},
		{name: "no line end at the end of the file", text: "a: 1\ntag: v1", path: "tag", to: "v2", want: "-tag: v1\n+tag: v2\n"},
		{name: "Windows line ends", text: "a: 1\r\ntag: v1\r\nb: 2\r\n", path: "tag", to: "v2", want: "-tag: v1\r\n+tag: v2\r\n"},
		{name: "Windows line ends and a comment", text: "image:\r\n  tag: v1  # x\r\n", path: "image.tag", to: "v2", want: "-  tag: v1  # x\r\n+  tag: v2  # x\r\n"},
		{name: "a byte order mark", text: "\uFEFFtag: v1\nb: 2\n", path: "tag", to: "v2", want: "-\uFEFFtag: v1\n+\uFEFFtag: v2\n"},
		{name: "characters of several bytes before the value", text: "größe: {ключ: значение, tag: v1} # ✓\n", path: "größe.tag", to: "v2", want: "-größe: {ключ: значение, tag: v1} # ✓\n+größe: {ключ: значение, tag: v2} # ✓\n"},
		{name: "an indentation of four", text: "image:\n    tag: v1\n    pullPolicy: Always\n", path: "image.tag", to: "v2", want: "-    tag: v1\n+    tag: v2\n"},
		{name: "a tab before a comment", text: "tag: v1\t# x\n", path: "tag", to: "v2", want: "-tag: v1\t# x\n+tag: v2\t# x\n"},
		{name: "white space at the end of the line", text: "tag: v1   \nb: 1\n", path: "tag", to: "v2", want: "-tag: v1   \n+tag: v2   \n"},
		{name: "a sign of comments inside the text", text: "tag: v1#2 # c\n", path: "tag", to: "v2#3", want: "-tag: v1#2 # c\n+tag: v2#3 # c\n"},
		{name: "a colon inside the text", text: "image: reg:5000/web:1.2\n", path: "image", to: "reg:5000/web:1.3", want: "-image: reg:5000/web:1.2\n+image: reg:5000/web:1.3\n"},
		{name: "a text that becomes a number for readers", text: "tag: v1\n", path: "tag", to: "1.20", want: "-tag: v1\n+tag: \"1.20\"\n"},
		{name: "a commit that looks like a number with an exponent", text: "tag: abc\n", path: "tag", to: "7e12345", want: "-tag: abc\n+tag: \"7e12345\"\n"},
		{name: "a text that YAML 1.1 takes for a boolean", text: "tag: abc\nx: 'q'\n", path: "tag", to: "on", want: "-tag: abc\n+tag: 'on'\n"},
		{name: "a text that is a date for readers", text: "tag: v1\n", path: "tag", to: "2024-05-01", want: "-tag: v1\n+tag: \"2024-05-01\"\n"},
		{name: "a text that needs quotes", text: "tag: v1\n", path: "tag", to: "a: b # c", want: "-tag: v1\n+tag: \"a: b # c\"\n"},
		{name: "a text with a line break", text: "tag: v1\n", path: "tag", to: "a\nb", want: "-tag: v1\n+tag: \"a\\nb\"\n"},
		{name: "an empty text", text: "tag: v1\n", path: "tag", to: "", want: "-tag: v1\n+tag: \"\"\n"},
		{name: "a number", text: "replicas: 2\n", path: "replicas", to: float64(5), want: "-replicas: 2\n+replicas: 5\n"},
		{name: "a fraction", text: "ratio: 0.5\n", path: "ratio", to: 0.75, want: "-ratio: 0.5\n+ratio: 0.75\n"},
		{name: "a boolean", text: "on: yes\nenabled: false # off\n", path: "enabled", to: true, want: "-enabled: false # off\n+enabled: true # off\n"},
		{name: "null", text: "limit: 5\n", path: "limit", to: nil, want: "-limit: 5\n+limit: null\n"},
		{name: "a number in the place of a text in quotes", text: "port: \"80\"\n", path: "port", to: 81, want: "-port: \"80\"\n+port: 81\n"},
		{name: "a key without a value", text: "tag:\nb: 1\n", path: "tag", to: "v2", want: "-tag:\n+tag: v2\n"},
		{name: "a key without a value and a comment", text: "image:\n  tag: # later\n  b: 1\n", path: "image.tag", to: "v2", want: "-  tag: # later\n+  tag: v2 # later\n"},
		{name: "a value below its key", text: "tag:\n  v1\nb: 1\n", path: "tag", to: "v2", want: "-  v1\n+  v2\n"},
		{name: "a plain text over several lines", text: "a: 1\ntext: one two\n  three\n\n  four # c\nb: 2\n", path: "text", to: "five", want: "-text: one two\n-  three\n-\n-  four # c\n+text: five # c\n"},
	}
}

func styledShapes() []shape {
	return []shape{
		{name: "double quotes", text: "tag: \"1.2\" # c\n", path: "tag", to: "1.3", want: "-tag: \"1.2\" # c\n+tag: \"1.3\" # c\n"},
		{name: "single quotes", text: "tag: '1.2'\n", path: "tag", to: "1.3", want: "-tag: '1.2'\n+tag: '1.3'\n"},
		{name: "quotes inside of quotes", text: "a: 'it''s' # c\nb: \"say \\\"x\\\" # no\" # c\n", path: "a", to: "that's", want: "-a: 'it''s' # c\n+a: 'that''s' # c\n"},
		{name: "escapes inside of double quotes", text: "b: \"say \\\"x\\\" # no\" # c\n", path: "b", to: "a \"\\\" z", want: "-b: \"say \\\"x\\\" # no\" # c\n+b: \"a \\\"\\\\\\\" z\" # c\n"},
		{name: "a text in quotes over several lines", text: "a: \"one\n  two\" # c\nb: 1\n", path: "a", to: "three", want: "-a: \"one\n-  two\" # c\n+a: \"three\" # c\n"},
		{name: "keys in quotes", text: "\"image\":\n  'tag' : v1\n", path: "image.tag", to: "v2", want: "-  'tag' : v1\n+  'tag' : v2\n"},
		{name: "a tag", text: "tag: !!str 1.2 # c\n", path: "tag", to: "1.3", want: "-tag: !!str 1.2 # c\n+tag: !!str \"1.3\" # c\n"},
		{name: "an anchor that nobody uses", text: "tag: &v \"1.2\"\n", path: "tag", to: "1.3", want: "-tag: &v \"1.2\"\n+tag: &v \"1.3\"\n"},
		{name: "an anchor without a value", text: "tag: &v\nb: 1\n", path: "tag", to: "x", want: "-tag: &v\n+tag: &v x\n"},
		{name: "a literal block", text: "conf: |\n  a=1\n  b=2\n\n# c\nz: 1\n", path: "conf", to: "a=1\nb=3\n", want: "-  b=2\n+  b=3\n"},
		{name: "a literal block that gets more lines", text: "x:\n  conf: |- # keep\n    a=1\n  z: 1\n", path: "x.conf", to: "a=1\n\n  b=3", want: "+\n+      b=3\n"},
		{name: "a literal block whose end changes", text: "conf: |\n  a\nz: 1\n", path: "conf", to: "b", want: "-conf: |\n-  a\n+conf: |-\n+  b\n"},
		{name: "a literal block at the end of the file", text: "conf: |-\n  a", path: "conf", to: "b\n", want: "-conf: |-\n-  a\n+conf: |\n+  b\n"},
		{name: "a block with its own indentation", text: "conf: |2\n   a\n  b\nz: 1\n", path: "conf", to: "c\nd\n", want: "-   a\n-  b\n+  c\n+  d\n"},
		{name: "a folded block", text: "text: >-\n  one\n  two\nz: 1\n", path: "text", to: "three four", want: "-  one\n-  two\n+  three four\n"},
		{name: "a folded block that gets lines", text: "text: >\n  one\n  two\nz: 1\n", path: "text", to: "a\nb\n", want: "-text: >\n-  one\n-  two\n+text: |\n+  a\n+  b\n"},
		{name: "a block that becomes a number", text: "n: |- # c\n  1\nz: 1\n", path: "n", to: 2, want: "-n: |- # c\n-  1\n+n: 2 # c\n"},
		{name: "a block of which only blanks are left", text: "n: |\n  a\nz: 1\n", path: "n", to: "", want: "-n: |\n-  a\n+n: \"\"\n"},
		{name: "a block with Windows line ends", text: "conf: |\r\n  a\r\n  b\r\nz: 1\r\n", path: "conf", to: "c\nd\n", want: "-  a\r\n-  b\r\n+  c\r\n+  d\r\n"},
		{name: "a block that keeps its line ends", text: "conf: |+\n  a\n\n\nz: 1\n", path: "conf", to: "b\n", want: "-conf: |+\n-  a\n-\n-\n+conf: \"b\\n\"\n"},
		{name: "an explicit key", text: "? tag\n: v1\n? b\n: 2\n", path: "tag", to: "v2", want: "-: v1\n+: v2\n"},
		{name: "directives and the marks of a document", text: "%YAML 1.1\n---\ntag: v1\n...\n", path: "tag", to: "v2", want: "-tag: v1\n+tag: v2\n"},
		{name: "the second of two documents", text: "a: 1\n---\n# two\ntag: v1\n", path: "tag", to: "v2", doc: 1, want: "-tag: v1\n+tag: v2\n"},
		{name: "the last document that says it", text: "tag: v1\n---\ntag: v1 # here\n---\nb: 1\n", path: "tag", to: "v2", doc: LastDoc, want: "-tag: v1 # here\n+tag: v2 # here\n"},
		{name: "a document that begins in the line of its mark", text: "--- {tag: v1}\n", path: "tag", to: "v2", want: "---- {tag: v1}\n+--- {tag: v2}\n"},
		{name: "a list by number", text: "hosts:\n- a\n- b # two\n- c\n", path: "hosts[1]", to: "x", want: "-- b # two\n+- x # two\n"},
		{name: "a list of maps by name", text: "env:\n  - name: A\n    value: 1\n  - name: B\n    value: \"2\"\n", path: "env[name=B].value", to: "3", want: "-    value: \"2\"\n+    value: \"3\"\n"},
		{name: "the first key of an element", text: "list:\n  - tag: v1\n    name: a\n", path: "list[name=a].tag", to: "v2", want: "-  - tag: v1\n+  - tag: v2\n"},
		{name: "a list in a list", text: "l:\n- - a\n  - b\n- - c\n", path: "l[0][1]", to: "x", want: "-  - b\n+  - x\n"},
		{name: "the version of a release", text: "releases:\n  # the shop\n  - name: web\n    chart: shop/web\n    version: 1.2.3 # keep in step\n  - name: api\n    version: 2.0.0\n", path: "releases[name=web].version", to: "1.3.0", want: "-    version: 1.2.3 # keep in step\n+    version: 1.3.0 # keep in step\n"},
	}
}

func flowShapes() []shape {
	return []shape{
		{name: "brackets in one line", text: "image: {repository: web, tag: v1}\n", path: "image.tag", to: "v2", want: "-image: {repository: web, tag: v1}\n+image: {repository: web, tag: v2}\n"},
		{name: "the first of several in brackets", text: "image: { tag: v1 , b: 2 } # c\n", path: "image.tag", to: "v2", want: "-image: { tag: v1 , b: 2 } # c\n+image: { tag: v2 , b: 2 } # c\n"},
		{name: "JSON", text: "{\n  \"image\": {\n    \"tag\": \"v1\",\n    \"n\": 1\n  }\n}\n", path: "image.tag", to: "v2", want: "-    \"tag\": \"v1\",\n+    \"tag\": \"v2\",\n"},
		{name: "a text that needs quotes between brackets only", text: "a: {tag: v1}\n", path: "a.tag", to: "x,y", want: "-a: {tag: v1}\n+a: {tag: \"x,y\"}\n"},
		{name: "a list in brackets", text: "hosts: [a, b, c] # d\n", path: "hosts[2]", to: "x", want: "-hosts: [a, b, c] # d\n+hosts: [a, b, x] # d\n"},
		{name: "a key without a value between brackets", text: "a: {tag: , b: 1}\n", path: "a.tag", to: "v2", want: "-a: {tag: , b: 1}\n+a: {tag: v2, b: 1}\n"},
		{name: "a list by name in brackets", text: "e: [{name: A, v: 1}, {name: B, v: 2}]\n", path: "e[name=B].v", to: 3, want: "-e: [{name: A, v: 1}, {name: B, v: 2}]\n+e: [{name: A, v: 1}, {name: B, v: 3}]\n"},
		{name: "a comment between brackets", text: "a: {\n  tag: v1, # with }\n  b: 1,\n}\n", path: "a.tag", to: "v2", want: "-  tag: v1, # with }\n+  tag: v2, # with }\n"},
		{name: "no blank after a colon in JSON", text: "{\"a\":{\"tag\":\"v1\"}}\n", path: "a.tag", to: "v2", want: "-{\"a\":{\"tag\":\"v1\"}}\n+{\"a\":{\"tag\":\"v2\"}}\n"},
	}
}

func sharedShapes() []shape {
	return []shape{
		{name: "an alias gets a value of its own", text: "a: &v v1\nb: *v # c\n", path: "b", to: "v2", want: "-b: *v # c\n+b: v2 # c\n"},
		{name: "an alias between brackets", text: "a: &v v1\nm: {b: *v , c: 1}\n", path: "m.b", to: "v2", want: "-m: {b: *v , c: 1}\n+m: {b: v2 , c: 1}\n"},
		{name: "a merged key gets an entry of its own", text: "base: &base\n  tag: v1\n  n: 1\nweb:\n  <<: *base\n  x: 1\nz: 1\n", path: "web.tag", to: "v2", want: "+  tag: v2\n"},
		{name: "a merged key between brackets", text: "base: &base {tag: v1}\nweb: {<<: *base}\n", path: "web.tag", to: "v2", want: "-web: {<<: *base}\n+web: {<<: *base, tag: v2}\n"},
		{name: "an own key beside a merged one", text: "base: &base\n  tag: v1\nweb:\n  <<: *base\n  tag: v1 # own\n", path: "web.tag", to: "v2", want: "-  tag: v1 # own\n+  tag: v2 # own\n"},
		{name: "what is shared moves as one where that is allowed", text: "base: &base\n  image: {tag: v1}\nweb:\n  <<: *base\n", path: "web.image.tag", to: "v2", also: true, want: "-  image: {tag: v1}\n+  image: {tag: v2}\n"},
	}
}

func addedShapes() []shape {
	return []shape{
		{name: "a key after its siblings", text: "image:\n  repository: web # c\n  # about the tag\nb: 1\n", path: "image.tag", to: "v2", want: "+  tag: v2\n"},
		{name: "a key at the root", text: "a: 1\n# end\n", path: "tag", to: "v2", want: "+tag: v2\n"},
		{name: "a key where the file ends without a line end", text: "a:\n  b: 1", path: "a.tag", to: "v2", want: "-  b: 1\n+  b: 1\n+  tag: v2\n"},
		{name: "keys below each other, indented as the file is", text: "a:\n    b: 1\n", path: "image.tag", to: "v2", want: "+image:\n+    tag: v2\n"},
		{name: "a key quoted as its siblings are", text: "image:\n  repository: 'web'\n", path: "image.tag", to: "v2", want: "+  tag: 'v2'\n"},
		{name: "a key after a block of lines", text: "a:\n  conf: |\n    x\n\n    y\n\nb: 1\n", path: "a.tag", to: "v2", want: "+  tag: v2\n"},
		{name: "a key after a list", text: "a:\n  l:\n  - x\n  - y # c\nb: 1\n", path: "a.tag", to: "v2", want: "+  tag: v2\n"},
		{name: "a key in an element", text: "l:\n  - name: a\n    x: 1\n  - name: b\n", path: "l[name=a].tag", to: "v2", want: "+    tag: v2\n"},
		{name: "a key in empty brackets", text: "image: {} # c\n", path: "image.tag", to: "v2", want: "-image: {} # c\n+image: {tag: v2} # c\n"},
		{name: "a key in brackets", text: "image: {repository: web}\n", path: "image.tag", to: "v2", want: "-image: {repository: web}\n+image: {repository: web, tag: v2}\n"},
		{name: "keys below each other in brackets", text: "{a: 1}\n", path: "image.tag", to: "v2", want: "-{a: 1}\n+{a: 1, image: {tag: v2}}\n"},
		{name: "a key in JSON", text: "{\n  \"a\": \"x\",\n  \"b\": \"y\" # c\n}\n", path: "tag", to: "v2", want: "-  \"b\": \"y\" # c\n+  \"b\": \"y\", # c\n+  tag: \"v2\"\n"},
		{name: "a key after a comma that is there already", text: "m: {\n  a: 1,\n  b: 2, # c\n}\n", path: "m.tag", to: "v2", want: "+  tag: v2\n"},
		{name: "a key where nothing is yet", text: "a: 1\nimage: # c\nb: 2\n", path: "image.tag", to: "v2", want: "+  tag: v2\n"},
		{name: "a key where null is", text: "image: ~ # c\n", path: "image.tag", to: "v2", want: "-image: ~ # c\n+image: {tag: v2} # c\n"},
		{name: "an empty file", text: "", path: "image.tag", to: "v2", want: "+image:\n+  tag: v2\n"},
		{name: "a file of comments", text: "# values of prod\n", path: "tag", to: "v2", want: "+tag: v2\n"},
		{name: "a file of comments without a line end", text: "# values of prod", path: "tag", to: "v2", want: "-# values of prod\n+# values of prod\n+tag: v2\n"},
		{name: "a key with dots", text: "annotations:\n  a: b\n", path: "annotations.\"x.y/z\"", to: "v2", want: "+  x.y/z: v2\n"},
		{name: "a key that is a number for readers", text: "m:\n  a: b\n", path: "m.8080", to: "v2", want: "+  \"8080\": v2\n"},
		{name: "a key with Windows line ends", text: "m:\r\n  a: b\r\nz: 1\r\n", path: "m.tag", to: "v2", want: "+  tag: v2\r\n"},
		{name: "a key in the first of two documents", text: "a:\n  b: 1\n---\nz: 1\n", path: "a.tag", to: "v2", want: "+  tag: v2\n"},
	}
}
