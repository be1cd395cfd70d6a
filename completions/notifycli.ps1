# Completion of notifycli for PowerShell 5.1 and newer.
# Written by scripts/write_completions.py; `notifycli completion show powershell` prints it too.

Register-ArgumentCompleter -Native -CommandName notifycli -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $program = Get-Command notifycli -CommandType Application -ErrorAction SilentlyContinue |
        Select-Object -First 1
    if (-not $program) { return }
    $words = @($commandAst.CommandElements |
        Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object {
            if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
                $_.Value
            } else {
                $_.Extent.Text
            }
        })

    $env:_NOTIFYCLI_COMPLETE = 'powershell'
    $env:_NOTIFYCLI_WORDS = ($words + $wordToComplete) -join "`n"
    try {
        & $program.Source 2>$null | ForEach-Object {
            $text, $shown, $help = $_ -split "`t", 3
            [System.Management.Automation.CompletionResult]::new(
                $text, $shown, 'ParameterValue', $help)
        }
    } finally {
        Remove-Item Env:_NOTIFYCLI_COMPLETE, Env:_NOTIFYCLI_WORDS -ErrorAction SilentlyContinue
    }
}
