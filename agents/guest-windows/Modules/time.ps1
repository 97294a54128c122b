function Set-GuestTime {
    <# .SYNOPSIS The time zone by its Windows id. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Values)
    if (-not $Values.ContainsKey('timeZone')) { return }
    $id = Get-TextOf -Map $Values -Key 'timeZone.windows'
    if ($null -eq $id) { Stop-Guest -Code 'NotSupported' -Message "Windows knows no time zone for $($Values['timeZone'])" }
    if ((Get-TimeZone).Id -cne $id) { Set-TimeZone -Id $id }
}
