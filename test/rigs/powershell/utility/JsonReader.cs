using System.Globalization;
using System.Management.Automation;
using System.Numerics;
using System.Text;
using System.Text.RegularExpressions;

namespace Microsoft.PowerShell.Commands;

/// <summary>
/// ConvertFrom-Json's objects. Numbers: Int32, Int64, then Decimal and Double in 5.1; Int64, BigInteger, Double in 7.
/// 7 alone turns ISO texts into dates; both turn "\/Date(ms)\/" into dates.
/// </summary>
internal sealed partial class JsonReader(string text, bool desktop, int depth, bool hashtable)
{
    private int at;

    internal sealed class Wrong(string message) : Exception(message);

    internal object? Read()
    {
        var value = Value(0);
        Space();
        if (at < text.Length) throw Unexpected();
        return value;
    }

    private object? Value(int level)
    {
        Space();
        if (at >= text.Length) throw new Wrong("Unexpected end when reading JSON.");
        if (level > depth) throw new Wrong($"The maximum depth of {depth} was exceeded.");
        switch (text[at])
        {
            case '{': return Members(level);
            case '[': return Items(level);
            case '"':
                // 5.1's reader looks at the raw text: without the backslash it is no date.
                var raw = text.AsSpan(at).StartsWith("\"\\/Date(", StringComparison.Ordinal);
                return Date(Quoted(), raw || !desktop);
            case 't': return Word("true", true);
            case 'f': return Word("false", false);
            case 'n': return Word("null", null);
            default: return Number();
        }
    }

    private object Members(int level)
    {
        var names = new HashSet<string>(hashtable ? StringComparer.Ordinal : StringComparer.OrdinalIgnoreCase);
        var target = new PSObject();
        var table = new System.Collections.Hashtable(StringComparer.Ordinal);
        at++;
        while (!Ends('}', names.Count > 0))
        {
            Space();
            if (at >= text.Length || text[at] != '"') throw Unexpected();
            var name = Quoted();
            Space();
            if (at >= text.Length || text[at++] != ':') throw Unexpected();
            if (!names.Add(name))
            {
                throw new Wrong($"Cannot convert the JSON string because a dictionary that was converted from the string contains the duplicated keys '{name}' and '{name}'.");
            }

            var value = Value(level + 1);
            if (hashtable) table[name] = value;
            else if (name.Length == 0) throw new Wrong("The provided JSON includes a property whose name is an empty string, this is only supported using the -AsHashTable switch.");
            else target.Properties.Add(new PSNoteProperty(name, value));
        }

        return hashtable ? table : target;
    }

    private object?[] Items(int level)
    {
        var items = new List<object?>();
        at++;
        while (!Ends(']', items.Count > 0)) items.Add(Value(level + 1));
        return items.ToArray();
    }

    private bool Ends(char close, bool began)
    {
        Space();
        if (at >= text.Length) throw new Wrong("Unexpected end when reading JSON.");
        if (text[at] == close)
        {
            at++;
            return true;
        }

        if (!began) return false;
        if (text[at++] != ',') throw Unexpected(at - 1);
        return false;
    }

    private string Quoted()
    {
        var value = new StringBuilder();
        for (at++; at < text.Length; at++)
        {
            var c = text[at];
            if (c == '"')
            {
                at++;
                return value.ToString();
            }

            if (c != '\\')
            {
                value.Append(c);
                continue;
            }

            if (++at >= text.Length) break;
            value.Append(text[at] switch
            {
                'n' => '\n', 't' => '\t', 'r' => '\r', 'b' => '\b', 'f' => '\f', '"' => '"', '\\' => '\\', '/' => '/',
                'u' => Hex(),
                _ => throw new Wrong($"Bad JSON escape sequence: \\{text[at]}."),
            });
        }

        throw new Wrong("Unterminated string.");
    }

    private char Hex()
    {
        if (at + 4 >= text.Length || !ushort.TryParse(text.AsSpan(at + 1, 4), NumberStyles.AllowHexSpecifier, null, out var code)) throw Unexpected();
        at += 4;
        return (char)code;
    }

    private object Date(string value, bool written)
    {
        var ticks = Milliseconds().Match(value);
        if (ticks.Success && written) return DateTime.UnixEpoch.AddMilliseconds(long.Parse(ticks.Groups[1].Value, CultureInfo.InvariantCulture));
        if (!desktop && Iso().IsMatch(value) && DateTime.TryParse(value, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var date)) return date;
        return value;
    }

    private object? Word(string word, object? value)
    {
        if (string.CompareOrdinal(text, at, word, 0, word.Length) != 0) throw Unexpected();
        at += word.Length;
        return value;
    }

    private object Number()
    {
        var match = Numeric().Match(text, at);
        if (!match.Success) throw Unexpected();
        at += match.Length;
        var digits = match.Value;
        if (digits.IndexOfAny(['.', 'e', 'E']) < 0)
        {
            if (desktop && int.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var small)) return small;
            if (long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var large)) return large;
            if (!desktop) return BigInteger.Parse(digits, CultureInfo.InvariantCulture);
        }

        if (desktop && digits.IndexOfAny(['e', 'E']) < 0 && decimal.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out var exact)) return exact;
        return double.Parse(digits, CultureInfo.InvariantCulture);
    }

    private void Space()
    {
        while (at < text.Length && text[at] is ' ' or '\t' or '\r' or '\n') at++;
    }

    private Wrong Unexpected(int? place = null)
    {
        var position = place ?? at;
        return new Wrong(position < text.Length ? $"Invalid JSON primitive: {text[position]} at {position}." : "Unexpected end when reading JSON.");
    }

    [GeneratedRegex(@"\G-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")]
    private static partial Regex Numeric();

    [GeneratedRegex(@"^/Date\((-?[0-9]+)\)/$")]
    private static partial Regex Milliseconds();

    [GeneratedRegex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?$")]
    private static partial Regex Iso();
}
