using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Text;

namespace Microsoft.PowerShell.Commands;

/// <summary>
/// ConvertTo-Json's text. 5.1 (JavaScriptSerializer) escapes &lt; &gt; &amp; ' and writes dates as "\/Date(ms)\/";
/// 7 (Newtonsoft) writes ISO dates. Both write enums as numbers, GUIDs as objects (5.1) or text (7), and what lies deeper than the
/// depth as the value's own text.
/// </summary>
internal sealed class JsonWriter(int depth, bool compress, bool desktop, bool enumsAsText, Action<string> warn)
{
    private readonly StringBuilder text = new();
    private bool warned;

    internal string Write(object? value)
    {
        Value(value, 0, 0);
        return text.ToString();
    }

    private void Value(object? given, int level, int indent)
    {
        var wrapped = given as PSObject;
        var value = wrapped is null ? given : wrapped.BaseObject is PSCustomObject ? wrapped : wrapped.BaseObject;
        if (value is null || value == System.Management.Automation.Internal.AutomationNull.Value || value is DBNull)
        {
            text.Append("null");
            return;
        }

        if (Scalar(value)) return;
        if (level > depth)
        {
            if (!desktop && !warned) warn($"Resulting JSON is truncated as serialization has exceeded the set depth of {depth}.");
            warned = true;
            Text(LanguagePrimitives.ConvertTo<string>(given));
            return;
        }

        if (value is IDictionary map) Members(Entries(map), level, indent);
        else if (value is IEnumerable list) Items(list, level, indent);
        else Members(Properties(PSObject.AsPSObject(value)), level, indent);
    }

    private bool Scalar(object value)
    {
        switch (value)
        {
            case string given: Text(given); return true;
            case char given: Text(given.ToString()); return true;
            case bool given: text.Append(given ? "true" : "false"); return true;
            case SwitchParameter given when !desktop: text.Append(given.IsPresent ? "true" : "false"); return true;
            case Enum given when enumsAsText: Text(given.ToString()); return true;
            case Enum given: text.Append(given.ToString("D")); return true;
            case double given: text.Append(Fraction(given, given.ToString("R", CultureInfo.InvariantCulture))); return true;
            case float given: text.Append(Fraction(given, given.ToString("R", CultureInfo.InvariantCulture))); return true;
            case decimal given: text.Append(desktop ? given.ToString(CultureInfo.InvariantCulture) : Fraction((double)given, given.ToString(CultureInfo.InvariantCulture))); return true;
            case byte or sbyte or short or ushort or int or uint or long or ulong or System.Numerics.BigInteger:
                text.Append(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture));
                return true;
            case DateTime given: Date(given); return true;
            case DateTimeOffset given when !desktop: Text(given.ToString("yyyy-MM-ddTHH:mm:ss.FFFFFFFK", CultureInfo.InvariantCulture)); return true;
            case Guid given when !desktop: Text(given.ToString()); return true;
            case Uri given: Text(given.OriginalString); return true;
            default: return false;
        }
    }

    private string Fraction(double value, string plain) =>
        double.IsFinite(value) ? (!desktop && plain.IndexOfAny(['.', 'E']) < 0 ? plain + ".0" : plain) : $"\"{plain}\"";

    private void Date(DateTime given)
    {
        if (!desktop)
        {
            Text(given.ToString("yyyy-MM-ddTHH:mm:ss.FFFFFFFK", CultureInfo.InvariantCulture));
            return;
        }

        var milliseconds = (given.ToUniversalTime().Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMillisecond;
        text.Append("\"\\/Date(").Append(milliseconds.ToString(CultureInfo.InvariantCulture)).Append(")\\/\"");
    }

    private static IEnumerable<(string, object?)> Entries(IDictionary map)
    {
        foreach (DictionaryEntry entry in map) yield return (LanguagePrimitives.ConvertTo<string>(entry.Key), entry.Value);
    }

    private static IEnumerable<(string, object?)> Properties(PSObject value)
    {
        foreach (var property in value.Properties)
        {
            if (!property.IsGettable) continue;
            object? content;
            try
            {
                content = property.Value;
            }
            catch (GetValueException)
            {
                content = null;
            }

            yield return (property.Name, content);
        }
    }

    private void Members(IEnumerable<(string Name, object? Value)> members, int level, int indent)
    {
        var first = true;
        text.Append('{');
        foreach (var (name, value) in members)
        {
            if (!first) text.Append(',');
            first = false;
            Break(indent + 1);
            Text(name);
            text.Append(compress ? ":" : desktop ? ":  " : ": ");
            Value(value, level + 1, indent + 1);
        }

        if (!first || desktop) Break(indent);
        text.Append('}');
    }

    private void Items(IEnumerable items, int level, int indent)
    {
        var first = true;
        text.Append('[');
        foreach (var item in items)
        {
            if (!first) text.Append(',');
            first = false;
            Break(indent + 1);
            Value(item, level + 1, indent + 1);
        }

        if (!first || desktop) Break(indent);
        text.Append(']');
    }

    private void Break(int indent)
    {
        if (!compress) text.Append(Environment.NewLine).Append(' ', indent * (desktop ? 4 : 2));
    }

    private void Text(string value)
    {
        text.Append('"');
        foreach (var c in value)
        {
            switch (c)
            {
                case '"': text.Append("\\\""); break;
                case '\\': text.Append("\\\\"); break;
                case '\n': text.Append("\\n"); break;
                case '\r': text.Append("\\r"); break;
                case '\t': text.Append("\\t"); break;
                case '\b': text.Append("\\b"); break;
                case '\f': text.Append("\\f"); break;
                default:
                    var escaped = c < ' ' || c is '\u0085' or '\u2028' or '\u2029' || (desktop && (c is '<' or '>' or '&' or '\''));
                    if (escaped) text.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
                    else text.Append(c);
                    break;
            }
        }

        text.Append('"');
    }
}
