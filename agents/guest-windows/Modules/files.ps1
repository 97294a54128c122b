function Set-GuestFile {
    <# .SYNOPSIS Files with these very contents, as UTF-8 without a mark. They inherit the rights of their folder: modes are Linux's. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Values)
    foreach ($entry in @(Get-EntryOf -Values $Values -Kind 'file' -Field 'path')) {
        $path = $Values["$entry.path"]
        if ($path -notmatch '\A[A-Za-z]:\\[^:*?"<>|]+\z') { Stop-Guest -Code 'NotSupported' -Message "$path is no path like C:\folder\file" }
        $bytes = (New-Object -TypeName 'System.Text.UTF8Encoding' -ArgumentList $false).GetBytes($Values["$entry.content"])
        Set-WholeFile -Path $path -Bytes $bytes
    }
}
