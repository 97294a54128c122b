using System.Management.Automation;
using System.Text.RegularExpressions;

namespace AetherV.Rig.Cim;

/// <summary>The part of WQL that the agents use: SELECT fields FROM class WHERE a = 'x' AND b &lt;&gt; 1 OR c LIKE 'y%'; no parentheses.</summary>
internal sealed partial class Wql
{
    private readonly List<List<Func<PSObject, bool>>> anyOf = [];

    internal static (string Class, string? Filter, string[]? Properties) Split(string query)
    {
        var match = Select().Match(query.Trim());
        if (!match.Success) throw new FormatException($"Invalid query: {query}");
        var fields = match.Groups["fields"].Value.Trim();
        return (match.Groups["class"].Value, match.Groups["where"].Success ? match.Groups["where"].Value : null, fields == "*" ? null : fields.Split(',', StringSplitOptions.TrimEntries));
    }

    internal Wql(string? filter)
    {
        if (string.IsNullOrWhiteSpace(filter)) return;
        var rest = filter.Trim();
        anyOf.Add([]);
        for (; ; )
        {
            var match = Term().Match(rest);
            if (!match.Success) throw new FormatException($"Invalid query: {filter}");
            anyOf[^1].Add(Test(match));
            rest = rest[match.Length..].TrimStart();
            if (rest.Length == 0) return;
            if (rest.StartsWith("AND ", StringComparison.OrdinalIgnoreCase)) rest = rest[4..].TrimStart();
            else if (rest.StartsWith("OR ", StringComparison.OrdinalIgnoreCase))
            {
                rest = rest[3..].TrimStart();
                anyOf.Add([]);
            }
            else throw new FormatException($"Invalid query: {filter}");
        }
    }

    internal bool Takes(PSObject row) => anyOf.Count == 0 || anyOf.Any(all => all.All(test => test(row)));

    private static Func<PSObject, bool> Test(Match match)
    {
        var name = match.Groups["name"].Value;
        var sign = match.Groups["op"].Value.ToUpperInvariant();
        var raw = match.Groups["value"].Value;
        var text = raw.Length > 1 && raw[0] is '\'' or '"' ? Unescape().Replace(raw[1..^1], "$1") : raw;
        return row =>
        {
            var property = row.Properties[name] ?? throw new FormatException($"Invalid query: no property '{name}'");
            var value = property.Value;
            if (sign == "IS") return value is null;
            var given = value is Enum or null ? $"{value}" : value is bool flag ? (flag ? "TRUE" : "FALSE") : LanguagePrimitives.ConvertTo<string>(value);
            if (sign == "LIKE") return Regex.IsMatch(given, "^" + Regex.Escape(text).Replace("%", ".*").Replace("_", ".") + "$", RegexOptions.IgnoreCase | RegexOptions.Singleline);
            var order = decimal.TryParse(given, out var left) && decimal.TryParse(text, out var right) ? left.CompareTo(right) : string.Compare(given, text, StringComparison.OrdinalIgnoreCase);
            return sign switch { "=" => order == 0, "<>" or "!=" => order != 0, "<" => order < 0, ">" => order > 0, "<=" => order <= 0, _ => order >= 0 };
        };
    }

    [GeneratedRegex(@"^SELECT\s+(?<fields>[\w\s,*]+?)\s+FROM\s+(?<class>\w+)(\s+WHERE\s+(?<where>.+))?$", RegexOptions.IgnoreCase | RegexOptions.Singleline)]
    private static partial Regex Select();

    [GeneratedRegex(@"^(?<name>\w+)\s*(?<op><=|>=|<>|!=|=|<|>|LIKE\b|IS\b)\s*(?<value>'([^'\\]|\\.)*'|""([^""\\]|\\.)*""|[\w.-]+)", RegexOptions.IgnoreCase)]
    private static partial Regex Term();

    [GeneratedRegex(@"\\(.)")]
    private static partial Regex Unescape();
}
