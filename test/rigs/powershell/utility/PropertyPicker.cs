using System.Collections;
using System.Management.Automation;

namespace Microsoft.PowerShell.Commands;

/// <summary>A property given as a name (with wildcards), a script block or @{ Name; Expression; Descending }.</summary>
internal sealed class PropertyPicker
{
    private readonly WildcardPattern? pattern;
    private readonly ScriptBlock? script;
    private readonly string? property;

    internal string Name { get; }
    internal bool? Descending { get; }

    internal PropertyPicker(object given)
    {
        var value = given is PSObject wrapped ? wrapped.BaseObject : given;
        if (value is IDictionary table)
        {
            object? expression = null;
            string? name = null;
            foreach (DictionaryEntry entry in table)
            {
                var key = LanguagePrimitives.ConvertTo<string>(entry.Key).ToLowerInvariant();
                if (key.Length > 0 && "expression".StartsWith(key, StringComparison.Ordinal)) expression = entry.Value;
                else if (key.Length > 0 && ("name".StartsWith(key, StringComparison.Ordinal) || "label".StartsWith(key, StringComparison.Ordinal))) name = LanguagePrimitives.ConvertTo<string>(entry.Value);
                else if (key.Length > 0 && "descending".StartsWith(key, StringComparison.Ordinal)) Descending = LanguagePrimitives.IsTrue(entry.Value);
                else if (key.Length > 0 && "ascending".StartsWith(key, StringComparison.Ordinal)) Descending = !LanguagePrimitives.IsTrue(entry.Value);
                else throw new PSArgumentException($"The key '{entry.Key}' is not valid in a property table.");
            }

            value = expression is PSObject inner ? inner.BaseObject : expression ?? throw new PSArgumentException("A property table needs an Expression.");
            Name = name ?? value.ToString() ?? "";
        }
        else
        {
            Name = value.ToString() ?? "";
        }

        if (value is ScriptBlock block) script = block;
        else
        {
            property = LanguagePrimitives.ConvertTo<string>(value);
            if (WildcardPattern.ContainsWildcardCharacters(property)) pattern = WildcardPattern.Get(property, WildcardOptions.IgnoreCase);
        }
    }

    /// <summary>The named values of one object; a missing property is null.</summary>
    internal IEnumerable<(string Name, object? Value)> Pick(PSObject target)
    {
        if (script is not null)
        {
            yield return (Name, Run(target));
        }
        else if (pattern is not null)
        {
            foreach (var (name, value) in Members(target).Where(member => pattern.IsMatch(member.Name))) yield return (name, value);
        }
        else if (target.BaseObject is IDictionary table && table.Contains(property!))
        {
            yield return (Name, table[property!]);
        }
        else
        {
            yield return (target.Properties[property!]?.Name is { } real && Name == property ? real : Name, target.Properties[property!]?.Value);
        }
    }

    internal object? First(PSObject target) => Pick(target).Select(found => found.Value).FirstOrDefault();

    internal bool Exists(PSObject target) =>
        script is not null || pattern is not null || target.Properties[property!] is not null || (target.BaseObject is IDictionary table && table.Contains(property!));

    private object? Run(PSObject target)
    {
        var results = script!.InvokeWithContext(null, [new PSVariable("_", target)]);
        return results.Count switch { 0 => null, 1 => results[0], _ => results.ToArray() };
    }

    internal static IEnumerable<(string Name, object? Value)> Members(PSObject target) =>
        target.Properties.Where(property => property.IsGettable).Select(property => (property.Name, (object?)property.Value));
}
