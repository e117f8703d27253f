"""Small templates, each for one construct, and the variables that they see."""

VARIABLES = {
    "a": 7, "b": 3, "f": 2.5, "neg": -7, "t": True, "no": False, "nil": None, "zero": 0,
    "s": "Hello, World", "empty": "", "u": "naïve 日本語 🙂", "multi": "one\ntwo\n\n  three\n", "ws": " \t padded \n",
    "csv": "a,b,,c", "think": "<think>x</think>y</think>z", "html": "<b>\"&'</b>",
    "l": [3, 1, 2], "words": ["banana", "Apple", "cherry"], "mixed": [1, "two", 3.0, None, True, [1], {"k": "v"}], "el": [],
    "d": {"b": 1, "a": 2, "C": 3}, "ed": {}, "nested": {"x": {"y": [10, {"z": "deep"}]}, "items": "shadow", "get": 5},
    "users": [{"name": "Ann", "age": 30, "on": True}, {"name": "Bob", "age": 25, "on": False}, {"name": "cid", "age": 30}],
    "reals": [0.1, 1.0, 1e16, 1e15, 123456789.123, 1e-5, 0.0001, -0.0, 1e300, 3.14], "big": 9007199254740993,
    "esc": "tab\t nl\n cr\r nul\u0000 bell\u0007 \\ ' \" del\u007f nbsp\u00a0 é \u200b",
}

SNIPPETS = r'''
# literals
{{ 1 }} {{ -1 }} {{ 1.5 }} {{ 1e3 }} {{ 1_000 }} {{ 0x1f }} {{ 0b101 }} {{ 0o17 }} {{ 1.5e-7 }}
{{ true }} {{ True }} {{ false }} {{ False }} {{ none }} {{ None }}
{{ 'a' "b" 'c' }}
{{ 'tab\tnl\nq\'q"q\\ \x41 \u00e9 \U0001F642 \101 \q' }}
{{ "dq \" 'x'" }}
{{ [1, 'two', 3.0, none, true] }} {{ [] }} {{ [1,] }}
{{ (1, 2) }} {{ (1,) }} {{ () }} {{ (1) }}
{{ {'a': 1, 'b': [2], 3: 'c'} }} {{ {} }} {{ {'a': 1,} }}
{{ 1, 2 }}
{{ [[1, [2, [3]]], {'x': {'y': {}}}] }}
{{ {1: 'a', true: 'b', 1.0: 'c'} }}
# printing
{{ reals }}
{{ reals | join(' ') }}
{{ a }} {{ f }} {{ t }} {{ nil }} {{ l }} {{ d }} {{ mixed }} {{ s }} {{ u }}
{{ esc }}
{{ [esc] }}
{{ ["it's", 'say "hi"', 'both \' and "', ''] }}
{{ [u, 'é', '\u200b', '\ue000', '\u3000'] }}
{{ big }} {{ big + 1 }}
{{ undefined_name }}|{{ d.missing }}|{{ l[10] }}
{{ users }}
{{ nested }}
# arithmetic
{{ a + b }} {{ a - b }} {{ a * b }} {{ a / b }} {{ a // b }} {{ a % b }} {{ a ** b }}
{{ neg // b }} {{ neg % b }} {{ a // -b }} {{ a % -b }} {{ neg / 2 }}
{{ f + 1 }} {{ f * 2 }} {{ f // 1 }} {{ f % 1 }} {{ -f % 1 }} {{ 7.5 // -2 }} {{ 7.5 % -2 }}
{{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }} {{ -2 ** 2 }} {{ 0 ** 0 }} {{ 2 ** 3 ** 2 }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ 1.0 // 0 }}
{{ 1 + 2 * 3 - 4 / 2 }} {{ (1 + 2) * 3 }} {{ -a + b }} {{ +a }} {{ - - a }}
{{ true + true }} {{ true * 3 }} {{ -true }}
{{ 'ab' * 3 }} {{ 3 * 'ab' }} {{ [1] * 3 }} {{ 'x' * -1 }}
{{ 'a' + 'b' }} {{ [1] + [2] }} {{ (1,) + (2,) }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ 'a' + none }}
{{ [1] + (2,) }}
{{ {} + {} }}
{{ none + 1 }}
{{ 'a' - 'b' }}
{{ undefined_name + 1 }}
{{ 'x' + undefined_name }}
{{ -s }}
{{ 'a' ~ 1 ~ none ~ true ~ 2.0 ~ undefined_name ~ [1] }}
{{ 1 ~ 2 + 3 }}
{{ '%s is %d and %.2f' % ('x', 5, 1.005) }} {{ '%5s|%-5s|%05d|%x|%%' % ('a', 'b', 42, 255) }}
{{ '%s' % 'one' }} {{ '%s' % [1, 2] }} {{ '%r' % 'q' }} {{ '%i' % 3.9 }} {{ '%+d % d' % (1, 2) }} {{ '%e %g' % (12345.678, 0.00001) }}
{{ '%s %s' % 'x' }}
{{ '%d' % 'x' }}
{{ '%s' % (1, 2) }}
# comparison and logic
{{ a > b }} {{ a < b }} {{ a >= 7 }} {{ a <= 7 }} {{ a == 7 }} {{ a != 7 }} {{ 1 == 1.0 }} {{ 1 == true }} {{ '1' == 1 }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 3 > 2 > 1 == 1 }}
{{ 'a' < 'b' }} {{ 'B' < 'a' }} {{ [1, 2] < [1, 3] }} {{ [1] < [1, 0] }} {{ 'é' > 'z' }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ undefined_name < 1 }}
{{ undefined_name == other_undefined }} {{ undefined_name == none }} {{ none == false }} {{ [] == () }} {{ {} == {} }}
{{ [1, {'a': 2}] == [1, {'a': 2}] }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }}
{{ t and 'x' }} {{ no and 'x' }} {{ empty or 'y' }} {{ s or 'y' }} {{ not t }} {{ not not s }} {{ nil or zero or [] }}
{{ 1 or 1 / 0 }} {{ 0 and 1 / 0 }}
{{ not a == b }} {{ t or no and no }} {{ (t or no) and no }}
{{ 'World' in s }} {{ 'x' in s }} {{ '' in s }} {{ 3 in l }} {{ 9 not in l }} {{ 'a' in d }} {{ 'z' not in d }} {{ 1.0 in l }} {{ not 3 in l }}
{{ 1 in s }}
{{ 1 in 5 }}
{{ 'x' in undefined_name }} {{ 'a' in none }}
{{ 'x' in undefined_name }} {{ undefined_name in [1] }}
{{ 'role' in {'role': 1} and 'x' in ['x'] }}
{{ [1] in {} }}
# conditional expressions
{{ 'yes' if t else 'no' }} {{ 'yes' if no else 'no' }} {{ 'yes' if no }}|{{ 1 if no else 2 if no else 3 }}
{{ ('a' if no) is defined }} {{ ('a' if no) ~ 'x' }}
{{ 'x' + ('a' if no) }}
{{ 'a' if s is string and l is iterable else 'b' }}
# subscripts and attributes
{{ s[0] }} {{ s[-1] }} {{ u[2] }} {{ u[-1] }} {{ l[0] }} {{ l[-1] }} {{ (1, 2)[1] }} {{ s[100] }}|{{ l[-100] }}|
{{ d['a'] }} {{ d.a }} {{ d['nope'] }}|{{ nested.x.y[1].z }} {{ nested['x']['y'][0] }} {{ nested.x.y.1.z }} {{ nested.x.y.0 }}
{{ nested.items is string }} {{ nested['items'] }} {{ nested['get'] }} {{ nested.get('get') }}
{{ nested.nope.nope }}
{{ none.x }}|{{ none['x'] }}|{{ 5['x'] }}|{{ s.nope }}|{{ s['nope'] }}|{{ 5 .x }}
{{ undefined_name.x }}
{{ undefined_name['x'] }}
{{ l['x'] }}|{{ d[0] }}|{{ s['upper']() }}|{{ l[true] }}
{{ s[1:4] }} {{ s[:3] }} {{ s[-5:] }} {{ s[::2] }} {{ s[::-1] }} {{ s[5:1] }}| {{ s[5:1:-1] }} {{ s[-3:-1] }} {{ s[100:] }}| {{ s[:-100] }}|
{{ l[1:] }} {{ l[::-1] }} {{ l[:-1] }} {{ l[-2:] }} {{ l[:] }} {{ l[0:2:1] }} {{ l[5:] }} {{ (1,2,3)[1:] }} {{ l[none:2] }}
{{ u[6:9] }} {{ u[::-1] }} {{ u[:5] }}
{{ l[::0] }}
{{ l['a':] }}
{{ 5[1:] }}|{{ none[1:] }}
{{ range(10)[2:8:3] | list }} {{ range(5)[-1] }} {{ range(0) | list }}
# strings' methods
{{ s.upper() }} {{ s.lower() }} {{ s.title() }} {{ s.swapcase() }} {{ 'hELLO wORLD'.capitalize() }} {{ "they're bill's 3rd x1y".title() }}
{{ 'éÀñ Привет ΑΒΓ'.upper() }} {{ 'ÉÀÑ ПРИВЕТ ΑΒΓ Ÿ'.lower() }} {{ 'żółw ćma'.title() }}
[{{ ws.strip() }}] [{{ ws.lstrip() }}] [{{ ws.rstrip() }}] [{{ 'xxaxx'.strip('x') }}] [{{ 'abcba'.lstrip('ab') }}] [{{ 'éaé'.rstrip('é') }}] [{{ '\u3000 x\xa0'.strip() }}]
{{ s.split() }} {{ csv.split(',') }} {{ csv.split(',', 1) }} {{ csv.split(',')[-1] }} {{ csv.rsplit(',', 1) }} {{ ' a  b '.split() }} {{ ''.split() }} {{ ''.split(',') }} {{ 'a b c'.split(maxsplit=1) }} {{ ' a b  c '.rsplit(none, 1) }} {{ ' a  b c '.split(None, 1) }} {{ 'abc'.split('abc') }} {{ 'aXbXc'.split(sep='X', maxsplit=1) }} {{ 'a,b'.split(',', -1) }} {{ 'a,b'.split(',', 0) }} {{ ' a b '.split(none, 0) }}
{{ think.split('</think>')[-1] }} {{ think.split('</think>', 1)[1] }} {{ think.split('</think>')[0].split('<think>')[-1] }} {{ think.split('</think>') | last }}
{{ s.split('') }}
{{ s.split(1) }}
{{ multi.splitlines() }} {{ multi.splitlines(true) }} {{ 'a\r\nb\rc\x0bd\u2028e'.splitlines() }} {{ ''.splitlines() }} {{ '\n'.splitlines() }}
{{ s.startswith('Hell') }} {{ s.endswith('d') }} {{ s.startswith(('x', 'H')) }} {{ s.startswith('World', 7) }} {{ s.endswith('o', 0, 5) }} {{ ''.startswith('') }} {{ s.endswith('') }}
{{ s.startswith(1) }}
{{ s.replace('l', 'L') }} {{ s.replace('l', 'L', 1) }} {{ 'abc'.replace('', '-') }} {{ 'é'.replace('', '-') }} {{ 'aaa'.replace('aa', 'b') }} {{ ''.replace('', 'x') }} {{ 'abc'.replace('', '-', 2) }}
{{ s.find('o') }} {{ s.find('zz') }} {{ s.rfind('o') }} {{ s.index('W') }} {{ s.count('l') }} {{ u.find('本') }} {{ s.find('o', 5) }} {{ s.find('o', -4) }} {{ 'aaa'.count('') }} {{ s.rfind('o', 0, 6) }}
{{ s.index('zz') }}
{{ ', '.join(words) }} {{ ''.join([]) }} {{ '-'.join('abc') }} {{ ','.join(d) }}
{{ ', '.join(l) }}
{{ 'pre-x'.removeprefix('pre-') }} {{ 'x.py'.removesuffix('.py') }} {{ 'x'.removesuffix('y') }} {{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ 'a'.partition('=') }} {{ 'a'.rpartition('=') }}
[{{ 'x'.ljust(3) }}] [{{ 'x'.rjust(3, '.') }}] [{{ 'ab'.center(5) }}] [{{ 'abc'.center(6) }}] [{{ 'a'.center(4) }}]
{{ 'ABC'.isupper() }} {{ 'abc1'.islower() }} {{ '12'.isdigit() }} {{ 'ab'.isalpha() }} {{ 'a1'.isalnum() }} {{ ' \t'.isspace() }} {{ ''.isdigit() }} {{ '1'.isupper() }}
{{ '{} {}'.format(1, 'x') }} {{ '{1}{0}'.format('a', 'b') }} {{ '{n}!'.format(n=none) }} {{ '{{}}'.format() }} {{ '{!r}'.format('x') }}
{{ '{} {}'.format(1) }}
{{ s.nope() }}
{{ s.upper(1) }}
# dicts' and lists' methods
{{ d.get('a') }} {{ d.get('z') }} {{ d.get('z', 'dflt') }} {{ d.keys() | list }} {{ d.values() | list }} {{ d.items() | list }} {{ d.items() | length }} {{ ed.items() | list }}
{{ d.get() }}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %} {% for k in d %}{{ k }}{% endfor %} {% for v in d.values() %}{{ v }}{% endfor %} {% for k in d.keys() %}{{ k }}{% endfor %}
{{ l.count(1) }} {{ l.index(2) }} {{ (1, 1).count(1) }} {{ 'a' in d.keys() }} {{ 2 in d.values() }}
{{ l.index(99) }}
{{ l.append(4) }}
{% set x = [] %}{% set _ = x.append(1) %}{{ x }}
{{ d.update({'x': 1}) }}
{{ d.pop('a') }}
{{ l.pop() }}
{{ l.append is defined }}
{{ d.copy() == d }} {{ l.copy() }}
# filters
{{ l | length }} {{ s | length }} {{ u | length }} {{ d | count }} {{ undefined_name | length }} {{ '' | length }}
{{ 5 | length }}
{{ none | length }}
{{ l | first }} {{ l | last }} {{ el | first }}| {{ el | last }}| {{ s | first }} {{ s | last }} {{ d | first }} {{ d | last }}
{{ l | join }} {{ l | join(', ') }} {{ words | join('-') }} {{ users | join(', ', attribute='name') }} {{ mixed | join('|') }} {{ s | join('.') }} {{ undefined_name | join }}| {{ l | join(1) }}
{{ 5 | join }}
{{ l | sort }} {{ l | sort(reverse=true) }} {{ words | sort }} {{ words | sort(case_sensitive=true) }} {{ users | sort(attribute='age') | map(attribute='name') | list }} {{ users | sort(attribute='age', reverse=true) | map(attribute='name') | join }}
{{ mixed | sort }}
{{ d | dictsort }} {{ d | dictsort(true) }} {{ d | dictsort(by='value') }} {{ d | dictsort(reverse=true) }} {{ d | dictsort(false, 'value', true) }}
{{ l | dictsort }}
{{ l | min }} {{ l | max }} {{ words | min }} {{ words | max }} {{ el | min }}| {{ users | max(attribute='age') }}
{{ l | sum }} {{ users | sum(attribute='age') }} {{ l | sum(start=10) }} {{ el | sum }}
{{ words | sum }}
{{ l | reverse | list }} {{ s | reverse }} {{ (1, 2) | reverse | list }} {{ u | reverse }}
{{ l | list }} {{ 'abc' | list }} {{ d | list }} {{ (1, 2) | list }} {{ undefined_name | list }}
{{ 5 | list }}
{{ [1, 1, 2, 'A', 'a'] | unique | list }} {{ ['A', 'a'] | unique(case_sensitive=true) | list }}
{{ words | map('upper') | list }} {{ users | map(attribute='name') | join(',') }} {{ users | map(attribute='on', default='?') | list }} {{ ['a', 'b'] | map('replace', 'a', 'z') | list }} {{ [nested] | map(attribute='x.y.0') | list }} {{ [[1, 2]] | map('first') | list }}
{{ users | selectattr('on') | map(attribute='name') | list }} {{ users | selectattr('age', 'equalto', 30) | map(attribute='name') | list }} {{ users | rejectattr('on') | map(attribute='name') | list }} {{ users | selectattr('on', 'defined') | list | length }} {{ users | selectattr('name', 'in', ['Ann']) | list | length }} {{ users | rejectattr('age', '>', 26) | map(attribute='name') | list }}
{{ [0, 1, '', 'x', none] | select | list }} {{ l | select('odd') | list }} {{ l | reject('gt', 1) | list }} {{ mixed | select('string') | list }} {{ mixed | reject('none') | list | length }}
{{ l | map('upper') | length }}
{{ l | map('nope') | list }}
{% set g = l | map('string') %}{{ g | join }}|{{ g | join }}|{{ 'yes' if g else 'no' }}
{% set g = [1, 2, 3] | map('string') %}{{ g | first }}{{ g | first }}{{ g | list }}
{{ l | batch(2) | list }} {{ l | batch(2, 'x') | list }}
{{ s | upper }} {{ s | lower }} {{ 'hello world-wide (web)' | title }} {{ 'hELLO' | capitalize }} {{ 5 | upper }} {{ none | lower }} {{ true | upper }}
[{{ ws | trim }}] [{{ 'xax' | trim('x') }}] [{{ 5 | trim }}] [{{ undefined_name | trim }}] [{{ none | trim }}]
{{ s | replace('l', 'L') }} {{ s | replace('l', 'L', 1) }} {{ 123 | replace('2', 'x') }} {{ s | replace(',', '') }}
{{ undefined_name | default('d') }} {{ '' | default('d') }}| {{ '' | default('d', true) }} {{ none | default('d') }} {{ none | default('d', boolean=true) }} {{ undefined_name | d }}| {{ d.nope | default([]) }} {{ s | default('d') }}
{{ '42' | int }} {{ 'x' | int }} {{ '3.9' | int }} {{ 3.9 | int }} {{ 'x' | int(7) }} {{ '0x1f' | int(base=16) }} {{ none | int }} {{ true | int }} {{ ' 12 ' | int }} {{ '-5' | int }} {{ '1_000' | int }} {{ [] | int(3) }}
{{ undefined_name | int }}
{{ '1.5' | float }} {{ 'x' | float }} {{ 3 | float }} {{ 'x' | float(2) }} {{ '1e3' | float }} {{ none | float }} {{ 'inf' | float }}
{{ neg | abs }} {{ -2.5 | abs }} {{ f | abs }}
{{ 's' | abs }}
{{ 2.5 | round }} {{ 3.5 | round }} {{ 2.567 | round(2) }} {{ 2.5 | round(method='ceil') }} {{ 2.5 | round(method='floor') }} {{ 5 | round }} {{ 1.005 | round(2) }} {{ 2.123 | round(1, 'ceil') }} {{ -0.4 | round }}
{{ a | string }} {{ l | string }} {{ none | string }} {{ 1.0 | string }} {{ undefined_name | string }}| {{ (5 | string) + 'x' }}
{{ multi | indent }}|{{ multi | indent(2, true) }}|{{ multi | indent(2, blank=true) }}|{{ 'a\nb' | indent('> ', first=true) }}|{{ '' | indent }}
{{ s | truncate(8) }} {{ s | truncate(5, true) }} {{ s | truncate(3, true, '', 0) }} {{ s | truncate(100) }} {{ 'foo bar baz qux' | truncate(11, False, '...', 0) }} {{ 'foo bar baz qux' | truncate(9) }}
[{{ 'ab' | center(7) }}] [{{ 'x' | center(4) }}]
{{ 'one two  three-four' | wordcount }}
{{ '%s-%s' | format(1, 'b') }}
{{ html | escape }} {{ html | e }} {{ html | safe }} {{ (html | escape) + '<' }} {{ ('<' | safe) + '<' }} {{ '<' + ('>' | safe) }} {{ (html | safe) ~ '<' }} {{ ('<' | safe) is escaped }} {{ 5 | safe }} {{ ('<' | safe | upper) + '<' }} {{ html | escape | escape }}
{{ d | items | list }} {{ undefined_name | items | list }}
{{ l | items | list }}
{{ users[0] | attr('name') }}|{{ s | attr('nope') }}|
{{ s | upper | lower | title }} {{ -5 | abs }} {{ (1 + 2) | string }} {{ 1 + 2 | string | length }}
{{ l | nope }}
{{ l | first(1) }}
{{ s | replace('a') }}
{{ 'a' | replace(old='a', new='b') }} {{ 'a' | default(default_value='z') }}
# tojson
{{ d | tojson }} {{ l | tojson }} {{ s | tojson }} {{ none | tojson }} {{ true | tojson }} {{ 1.0 | tojson }} {{ u | tojson }} {{ html | tojson }} {{ (1, 2) | tojson }} {{ {} | tojson }} {{ [] | tojson }}
{{ users | tojson(indent=2) }}
{{ nested | tojson(indent=4) }} {{ {'a': [], 'b': {}} | tojson(indent=1) }} {{ l | tojson(indent=0) }} {{ l | tojson(indent='--') }}
{{ d | tojson(separators=(',', ':')) }} {{ d | tojson(sort_keys=true) }} {{ u | tojson(ensure_ascii=true) }} {{ d | tojson(ensure_ascii=False) }} {{ d | tojson(indent=2, separators=(' ;', ' = ')) }}
{{ esc | tojson }} {{ esc | tojson(ensure_ascii=true) }}
{{ reals | tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }} {{ [1e400] | tojson }} {{ '\u2028 </script>' | tojson }}
{{ undefined_name | tojson }}
{{ d.items() | tojson }}
{{ range(3) | tojson }}
{{ namespace(a=1) | tojson }}
{{ (d | tojson) + '!' }} {{ d | tojson | length }} {{ d | tojson | safe }}
{{ [undefined_name] | tojson }}
# tests
{{ s is string }} {{ 5 is string }} {{ l is iterable }} {{ s is iterable }} {{ 5 is iterable }} {{ d is mapping }} {{ l is mapping }} {{ l is sequence }} {{ s is sequence }} {{ d is sequence }} {{ 5 is sequence }} {{ none is iterable }} {{ undefined_name is iterable }} {{ (1,) is sequence }} {{ range(2) is sequence }} {{ d.items() is sequence }} {{ d.items() is iterable }}
{{ s is defined }} {{ undefined_name is defined }} {{ d.a is defined }} {{ d.z is defined }} {{ undefined_name is undefined }} {{ undefined_name is not defined }} {{ nil is defined }}
{{ nil is none }} {{ s is none }} {{ s is not none }} {{ undefined_name is none }} {{ t is true }} {{ 1 is true }} {{ no is false }} {{ 0 is false }} {{ t is boolean }} {{ 1 is boolean }}
{{ 5 is integer }} {{ true is integer }} {{ 5.0 is float }} {{ 5 is float }} {{ 5 is number }} {{ true is number }} {{ '5' is number }}
{{ 5 is odd }} {{ 4 is even }} {{ 6 is divisibleby 3 }} {{ 6 is divisibleby(4) }} {{ -3 is odd }}
{{ 5 is eq 5 }} {{ 5 is ne(4) }} {{ 5 is gt 4 }} {{ 5 is lessthan 6 }} {{ 3 is in [1, 3] }} {{ 3 is not in [1, 3] }} {{ 'a' is equalto 'a' }} {{ 1 is sameas true }} {{ true is sameas true }} {{ none is sameas none }}
{{ 'ABC' is upper }} {{ 'abc' is lower }} {{ s.upper is callable }} {{ 5 is callable }} {{ range is callable }} {{ 'upper' is filter }} {{ 'nope' is filter }} {{ 'odd' is test }}
{{ not s is string }} {{ s is string and l is not string }} {{ 1 + 1 is odd }} {{ (1 + 2) is odd }} {{ s is string == true }}
{{ 5 is nope }}
{{ s is divisibleby 3 }}
{{ 5 is divisibleby 0 }}
# statements
{% if t %}a{% elif no %}b{% else %}c{% endif %}{% if no %}a{% elif t %}b{% else %}c{% endif %}{% if no %}a{% elif no %}b{% else %}c{% endif %}{% if no %}x{% endif %}
{% for x in l %}{{ loop.index }}/{{ loop.index0 }}/{{ loop.revindex }}/{{ loop.revindex0 }}/{{ loop.first }}/{{ loop.last }}/{{ loop.length }} {% endfor %}
{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {{ loop.cycle('odd', 'even') }} {{ loop.depth }}{{ loop.depth0 }};{% endfor %}
{% for x in [1, 1, 2, 2, 1] %}{% if loop.changed(x) %}{{ x }}{% endif %}{% endfor %}
{% for x in l if x > 1 %}{{ loop.index }}:{{ x }}/{{ loop.length }} {% else %}none{% endfor %}{% for x in l if x > 9 %}{{ x }}{% else %}none{% endfor %}{% for x in [] %}x{% else %}empty{% endfor %}
{% for a, b in [(1, 2), (3, 4)] %}{{ a }}-{{ b }} {% endfor %}{% for k, (x, y) in [('k', (1, 2))] %}{{ k }}{{ x }}{{ y }}{% endfor %}{{ a }}
{% for a, b in [1, 2] %}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for c in 'abc' %}{{ c }}.{% endfor %}{% for x in undefined_name %}x{% else %}none{% endfor %}{% for x in range(3) %}{{ x }}{% endfor %}{% for x in (1, 2) %}{{ x }}{% endfor %}{% for x in 1, 2 %}{{ x }}{% endfor %}
{% for x in 5 %}{% endfor %}
{% for x in none %}{% endfor %}
{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in [1, 2] %}{% for y in [1, 2, 3] %}{% if y == 2 %}{% break %}{% endif %}{{ x }}{{ y }}{{ loop.index }} {% endfor %}{{ loop.index }};{% endfor %}
{% break %}
{% for x in l %}{% for y in l %}{{ loop.index }}{% endfor %}-{{ loop.index }} {% endfor %}
{{ loop }}
{% for x in l %}{% set last = x %}{% endfor %}{{ last is defined }}
{% set x = 1 %}{% for i in l %}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}
{% set x = 1 %}{% if t %}{% set x = 2 %}{% endif %}{{ x }}
{% for i in l %}{% if i == 1 %}{% set y = 'set' %}{% endif %}{{ y }};{% endfor %}
{% for x in l %}{{ x }}{% endfor %}{{ x is defined }}
{% set ns = namespace(n=0, s='') %}{% for i in l %}{% set ns.n = ns.n + i %}{% set ns.s = ns.s ~ i %}{% endfor %}{{ ns.n }} {{ ns.s }} {{ ns.missing is defined }} {{ ns['n'] }}
{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }} {% set ns.c = [1] %}{{ ns.c }} {{ ns.z }}|
{% set d.x = 1 %}
{% set ns = namespace(_x=1) %}
{% set ns = namespace() %}{% set ns._x = 1 %}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, e) = [3, 4] %}{{ c }}{{ e }}{% set z = 1, 2 %}{{ z }}
{% set a, b = [1] %}
{% set x %}block {{ a }}{% for i in l %}{{ i }}{% endfor %}{% endset %}[{{ x }}] {{ x | length }}
{% set x | upper | trim %} shout {% endset %}[{{ x }}]
{% set x %}{% set inner = 1 %}{% endset %}{{ inner is defined }}
{% macro m(a, b='B', c=none) %}<{{ a }}|{{ b }}|{{ c }}>{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(1, c=3) }}{{ m(b=1, a=2) }}{{ m() }}
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(z=2) }}
{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}{{ m() }}
{% macro fact(n) %}{% if n > 1 %}{{ n }}*{{ fact(n - 1) }}{% else %}1{% endif %}{% endmacro %}{{ fact(5) }}
{% macro m() %}{{ s }}{{ later }}{% endmacro %}{% set later = 'L' %}{{ m() }}{% for s in [1] %}{{ m() }}{% endfor %}
{% macro m() %}{% set s = 'inner' %}{{ s }}{% endmacro %}{{ m() }}{{ s }}
{% macro m(x) %}{{ x }}{% endmacro %}{{ m.name }} {{ m('a') + 'b' }} {{ m(1) is string }} {{ m(1) | length }}{% set f = m %}{{ f(2) }}
{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}body {{ a }}{% endcall %}
{% macro m() %}{% for i in l %}{{ caller(i, 'x') }}{% endfor %}{% endmacro %}{% call(i, y) m() %}<{{ i }}{{ y }}>{% endcall %}
{% macro m() %}x{% endmacro %}{% call m() %}b{% endcall %}
{{ nomacro() }}
{{ s() }}
{{ none() }}
{% filter upper %}shout {{ s }}{% endfilter %}{% filter replace('a', 'b') | trim %} banana {% endfilter %}
{% with x = 1, y = 2 %}{{ x + y }}{% endwith %}{{ x is defined }}{% with %}{% set q = 1 %}{% endwith %}{{ q is defined }}
{% with a = 5, c = a %}{{ a }}{{ c }}{% endwith %}
{% generation %}gen {{ a }}{% set g = 1 %}{% endgeneration %}{{ g is defined }}
{% raw %}{{ not }} {% parsed %} {# at all #}{% endraw %}|{%- raw -%}  x {{ y }}  {%- endraw -%}|
{# comment #}a{#- tight -#} b {# multi
line #}c
{{ range(3) | list }} {{ range(1, 4) | list }} {{ range(10, 0, -3) | list }} {{ range(5, 1) | list }} {{ range(3) | length }} {{ 2 in range(3) }}
{{ range(1, 2, 0) }}
{{ range(1000000) }}
{{ range('a') }}
{{ dict(a=1, b=2) }} {{ dict({'x': 1}, y=2) }} {{ dict([('k', 'v')]) }} {{ dict() }}
{{ raise_exception('stop ' ~ a) }}
{% if no %}{{ raise_exception('x') }}{% endif %}fine
{{ strftime_now('%%') }}{{ strftime_now('') }}
{{ [1, 2, 3][1] }} {{ {'a': 'b'}['a'] }} {{ 'abc'[1] }} {{ (1, 2, 3)[-1] }} {{ {'a': {'b': 1}}.a.b }} {{ 'a,b'.split(',')[1].upper() }}
{{ users[0].name ~ ' ' ~ users[-1]['name'] }} {{ (users | first).name }} {{ (users | map(attribute='age') | list)[0] }}
{{ dict(**{'a': 1}) }} {{ range(*[1, 4]) | list }} {{ '{} {}'.format(*['x', 'y']) }}
{% set x = {'a': 1} %}{% set x = dict(x, b=2) %}{{ x }} {% set x = [1] + x.values() | list %}{{ x }}
{{ [l, d] | tojson if l else 'x' }} {{ (l if t else d)[0] }}
{% if l and d and s is string and (a > 5 or f < 1) and not no %}ok{% endif %}
{{ a if a else b }} {{ nil.x is defined }} {{ nil['x'] is defined }} {{ (nil or {}).get('x', 'y') }}
# syntax errors
{{ 1 + }}
{{ (1 }}
{% if %}{% endif %}
{% if t %}
{% for x in l %}
{% endfor %}
{{ 'open }}
{{ a b }}
{# open
{% set 1 = 2 %}
{% set true = 2 %}
{% macro m(a=1, b) %}{% endmacro %}
{% raw %} open
{% nope %}
{% else %}
{{ [1, 2 }}
{{ a.1.5 }}
{{ ] }}
{% for x l %}{% endfor %}
{{ a is is b }}
{{ f(a=1, 2) }}
{% if t %}{% endfor %}
{{ ? }}
'''

# Templates of more than one line, where white space matters.
LINES = [
    "a\n", "a\n\n", "\n", "", "a\r\nb\rc\n",
    "{% if true %}\nx\n{% endif %}\ny\n", "  {% if true %}\n  x\n  {% endif %}\n  y", "a  {% if true %}b{% endif %}  c",
    "a\n  {%- if true %}\n b\n  {%- endif %}\n c", "a\n  {% if true -%}\n b\n  {% endif -%}\n c", "a {%- if true -%} b {%- endif -%} c",
    "  {{ 1 }}\n  {{ 2 }}\n", "a\n  {{- 1 -}}  \n b", "a {{- 1 }} b {{ 2 -}} c", "{{ 1 }}\n{{ 2 }}\n\n{{ 3 }}",
    "  {%+ if true %}x{% endif %}\n", "{% if true +%}\nx{% endif +%}\ny", "  {# c #}\n  x {# d #}\ny", "  {#- c -#}  \n  x", "a {#+ c +#}\nb",
    "{% for i in [1, 2] %}\n  - {{ i }}\n{% endfor %}\nend", "{%- for i in [1, 2] -%}\n  - {{ i }}\n{%- endfor -%}\nend", "\t {% set x = 1 %} \n{{ x }}",
    "x\n\t{% set x = 1 %}\ty", "{% set x %}\n  a\n{% endset %}\n[{{ x }}]", "{% raw %}\n {{ x }}\n{% endraw %}\nz", "  {% raw %}  {{ x }}\n  {% endraw %}  z",
    "{{ {'a': {'b': 1}} }}", "{{ {'a': 1}['a'] }}", "{{ '}}' }}{{ '%}' }}", "{% set x = {'a': '%}'} %}{{ x }}", "{ { } } {a} %} }} #}",
    "{{ 'multi\nline' }}", "{{\n1\n+\n2\n}}", "{%\nif\ntrue\n%}x{%\nendif\n%}", "{% macro m() %}\n  body\n{% endmacro %}\n[{{ m() }}]", "{% macro m() -%}\n  body\n{%- endmacro %}\n[{{ m() }}]",
    "a{% if true %} \n b{% endif %}", "\u3000{%- if true %}x{% endif %}", "{{ 1 -}}\n\n\n{{ 2 }}", "{{ 1 }}\n\n\n{{- 2 }}", "{%- if true %}\n\nx{% endif %}", "a\n\n  {% if true %}\n\n  b\n\n  {% endif %}\n\n",
    "{{-1}} {{- 1 }} {{ -1 }}", "{% if true %}x{% endif %}\n\n{% if true %}y{% endif %}\n", "a\n {% if true %}{# c #}\n{% endif %}b", "{% set a = 1 -%}\n{% set b = 2 -%}\n{{ a + b }}",
    "{% if true: %}x{% endif %}", "{# {{ x }} {% if %} #}ok", "{#-#}ok", "x{#  #}\n\ny", "{{ 1 }}{# a #}{# b #}\n{{ 2 }}", "{% set x='a\\\nb' %}{{ x }}",
    "{% for m in [{'role': 'user'}] %}\n    {%- if m.role == 'user' %}\n        {{- 'U: ' }}\n    {%- endif %}\n{%- endfor %}\n",
    "line1\n{% if true %}\n{{ undefined_name.x }}\n{% endif %}", "{% for i in range(3) -%}\n{{ i }},\n{%- endfor %}\n!",
]

SNIPPETS = [line for line in SNIPPETS.splitlines() if line and not line.startswith("# ")] + LINES
